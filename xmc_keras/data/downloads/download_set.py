"""Download of the benchmark sets of the papers."""

import gzip
import json
import logging
import os
import shutil
import tarfile
import zlib
from pathlib import Path

from xmc_keras.data.downloads.benchmark_sets import REPOSITORY, SETS
from xmc_keras.data.downloads.fetch import fetch
from xmc_keras.data.formats.document import BadLines
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts
from xmc_keras.data.preparing.prepare_data import fill_folder
from xmc_keras.data.preparing.prepared_folder import PARTS, PreparedFolder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError, explain_disk_errors
from xmc_keras.files.path_lock import PathLock

logger = logging.getLogger(__name__)

WANTED = ("X.trn.txt", "Y.trn.npz", "X.tst.txt", "Y.tst.npz", "output-items.txt")
APART = 0.01  # relative difference of numbers of labels


def download_set(name, data="data"):
    """Downloads a benchmark set of the papers, converts it and checks its sizes.

    The archive comes from PECOS's collection at archive.org and goes to
    `<data>/downloads`. An interrupted call can be repeated and continues; a set that
    was downloaded is only checked again.

    Args:
        name: string, one of `SETS` in `xmc_keras.data.downloads.benchmark_sets`.
        data: string or path. The folder of data sets. Defaults to `"data"`.

    Returns:
        Dictionary, the summary of the data, see `summarize_data`.

    Raises:
        BadInput: another folder is in its place, another program downloads it, it
            cannot be downloaded, or is not that of the paper.
    """
    wanted = SETS[name]
    target = Path(data, wanted.folder)
    if (target / "summary.json").exists():
        logger.info("%s is finished", target)
        summary = read_summary(target / "summary.json")
        compare_sizes(wanted, summary, target)
        return summary
    if target.exists():
        raise BadInput(
            "Expected no folder of this set yet, or one that was downloaded. Received: "
            "another one.",
            target,
            remedy="Check it with `check_set`, or remove it.",
        )
    downloads = Path(data, "downloads")
    archive = downloads / f"{wanted.archive}.tar.gz"
    remedy = (
        f"get the file by other means and put it at {archive}, or take the folder "
        f"that AttentionXML publishes ({wanted.other_url}; see also {REPOSITORY}), "
        f"unpack it to {target} and check it with `check_set`."
    )
    source = downloads / wanted.archive
    with PathLock(source, "for a download", "data"):
        fetch(wanted.url, archive, remedy)
        unpack(archive, source)
        bad_lines = {part: BadLines() for part in PARTS}
        readers = find_parts(source, "pecos", skip=bad_lines.get)
        # A folder begun from the same archive is continued.
        settings = {"archive": f"{archive}, {archive.stat().st_size} bytes"}
        folder = PreparedFolder(target, settings, resume=True)
        summary = fill_folder(folder, readers, bad_lines)
    compare_sizes(wanted, summary, target)
    return summary


def read_summary(path):
    """Reads the `summary.json` of a prepared folder."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        return {"labels": summary["labels"], **summary}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"Expected the summary of prepared data. Received: {error!r}.",
            path,
            remedy="Remove this folder and download the set again.",
        ) from None


def check_set(name, folder):
    """Checks that a folder has the documents and labels of a benchmark set.

    The numbers of documents have to be those of Table 2 of the paper, unusable
    documents included; the numbers of labels may differ by 1 %, because copies of the
    sets differ in labels without documents.

    Args:
        name: string, see `download_set`.
        folder: string or path. A folder in any format that `prepare_data` reads.

    Raises:
        BadInput: the sizes differ.
    """
    compare_sizes(SETS[name], count_documents(folder), folder)


def unpack(archive, folder):
    """Extracts the files needed from an archive, unless they are there already."""
    if folder.exists():
        return
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with explain_disk_errors(folder):
            extract(archive, part)
    except DiskError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise BadInput(
            f"Expected an intact archive. Received: {error}.",
            archive,
            remedy="Remove it and start again.",
        ) from None
    missing = [name for name in WANTED if not (part / name).exists()]
    if missing:
        raise BadInput(
            f"Expected {', '.join(WANTED)} in it. Received: no {', '.join(missing)}.",
            archive,
        )
    with explain_disk_errors(folder):
        os.replace(part, folder)


def extract(archive, part):
    """Extracts the files needed from an archive to a new folder."""
    part.mkdir(parents=True)
    with gzip.open(archive) as raw:
        # As a stream: an archive of many GB is read once.
        with tarfile.open(fileobj=raw, mode="r|") as members:
            for member in members:
                name = Path(member.name).name
                if name in WANTED and member.isfile():
                    with open(part / name, "wb") as file:
                        shutil.copyfileobj(members.extractfile(member), file)
        while raw.read(2**20):  # to the checksum at the end
            pass


def count_documents(folder):
    """Counts documents and labels of a folder in any format."""
    bad_lines = {part: BadLines() for part in PARTS}
    readers = find_parts(folder, find_format(folder), skip=bad_lines.get)
    found, names = {}, set()
    for part, reader in readers.items():
        documents = labels = 0
        for document in reader:
            documents += 1
            labels += len(set(document.labels))
            names.update(document.labels)
        found[part] = {
            "documents": documents,
            "bad_lines": bad_lines[part].count,
            "labels_a_document": labels / max(1, documents),
        }
    return found | {"labels": len(names)}


def compare_sizes(wanted, found, folder):
    """Raises `BadInput` if a set is not that of the paper."""
    rows, wrong = [], []
    for part, expected in (("train", wanted.train), ("test", wanted.test)):
        figures = found.get(part, {"documents": 0, "bad_lines": 0})
        count = figures["documents"] + figures["bad_lines"]
        rows.append((f"documents of the {part} part", expected, count, 0))
    rows.append(("labels", wanted.labels, found["labels"], APART))
    mean = found.get("train", {}).get("labels_a_document", 0)
    rows.append(("labels a document", wanted.labels_a_document, round(mean, 2), APART))
    for name, expected, count, apart in rows:
        logger.info("%s: %s, in the paper %s", name, f"{count:,}", f"{expected:,}")
        if abs(count - expected) > apart * expected:
            wrong.append(f"{count:,} {name}, not {expected:,}")
    if wrong:
        raise BadInput(
            f"Expected the set of the paper (Table 2). Received: {'; '.join(wrong)}.",
            folder,
            remedy="Give the folder of the same set, unchanged.",
        )
