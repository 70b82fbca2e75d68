"""The file of the results of a comparison: a record for data, name and seed."""

import json
from pathlib import Path

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput


def key_of(record):
    return record["data"], record["name"], record["seed"]


def read_records(path):
    """The results of a file of this program, none if it does not exist."""
    path = Path(path)
    if not path.exists():
        return []
    try:
        records = json.loads(path.read_text("utf-8"))["results"]
        keys = [key_of(record) for record in records]
    except (OSError, ValueError, KeyError, TypeError):
        keys = [None, None]
    if len(set(keys)) < len(keys):
        raise BadInput(
            "Expected results of this program. Received: another file. Choose another "
            "with --out.",
            path,
        )
    return records


def write_records(path, records):
    with atomic_write(path) as file:
        file.write(json.dumps({"results": records}, indent=1).encode() + b"\n")


def check_digests(records, sets):
    """Raises `BadInput` if there are results of other data of the same name."""
    digests = {data.about["data"]: data.about["digest"] for data in sets}
    for record in records:
        if digests.get(record["data"], record["digest"]) != record["digest"]:
            raise BadInput(
                f"Expected the {record['data']} that is in the results. Received: "
                "other documents of this name. Rename the folder, or choose another "
                "file with --out."
            )
