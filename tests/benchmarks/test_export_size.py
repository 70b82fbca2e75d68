"""export_size.py on few labels."""

import json

import pytest

from tests.helpers.programs import run_benchmark

SMALL = "--labels 3000 --clusters 30 --top-k 5 --layers 1 --hidden 64 --turns 2"


@pytest.mark.large
@pytest.mark.parametrize(
    "more, expected",
    [
        ("--table int8", [("lightxml", "int8", x) for x in ("float32", "float16")]),
        (
            "--system one_vs_all --projection 8",
            [("one_vs_all", x, "float32") for x in ("float32", "float16", "int8")]
            + [("lightxml", "float32", "float32")],
        ),
    ],
)
def test_a_run_on_few_labels(more, expected, tmp_path):
    path = tmp_path / "size.json"
    few = [*SMALL.split(), *more.split(), "--json", path]
    done = run_benchmark("speed.export_size", *few)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    rows = record["measured"]
    assert [
        tuple(row[name] for name in ("system", "table", "other weights"))
        for row in rows
    ] == expected
    assert all(row["1 text ms"] > 0 and row["score ms"] > 0 for row in rows)
    assert record["machine"]["cores"] and record["shape"]["labels"] == 3000
