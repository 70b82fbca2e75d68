"""gpu.py on a CPU, in small: its figures, and its bound on the time."""

import json
import time

import pytest

from tests.helpers.programs import run_benchmark

SMALL = "--labels 300 --clusters 20 --top-k 3 --bottleneck 8 --batch 2 --tokens 8 "
SMALL += "--layers 5 --hidden 64 --steps 2 --precision float32"
FIGURES = [
    f"{work}, {system}{more}"
    for work, mores in (("train", ("", ", PyTorch")), ("predict", ("", ", PyTorch")))
    for system in ("one_vs_all", "lightxml", "lightdxml")
    for more in mores
    if system != "lightdxml" or not more
]
FIGURES += [f"train, {s}, XLA" for s in ("one_vs_all", "lightxml", "lightdxml")]


def run_small(tmp_path, seconds):
    path = tmp_path / "folder" / "gpu.json"
    small = [*SMALL.split(), "--json", path, "--seconds", seconds]
    begun = time.monotonic()
    done = run_benchmark("gpu", *small)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    assert record["machine"]["cores"] and record["commit"]
    assert [row["figure"] for row in record["measured"]] == FIGURES
    return record["measured"], time.monotonic() - begun


@pytest.mark.large
def test_the_time_is_bounded_and_what_is_missing_is_said(tmp_path):
    rows, seconds = run_small(tmp_path, 2)
    # What is over the limit is the first process, which asks for the GPU.
    assert seconds < 60
    skipped = {row["figure"]: row["skipped"] for row in rows}
    for name in FIGURES:
        assert skipped[name] == (
            "no PyTorch" if name.endswith("PyTorch") else "out of time"
        )


@pytest.mark.large
def test_all_figures_in_small(tmp_path):
    rows, _ = run_small(tmp_path, 500)
    for row in rows:
        if row["figure"].endswith("PyTorch"):
            assert row["skipped"] == "no PyTorch"
        else:
            assert row["step_s"] > 0 and row["peak_gb"] > 0.1, row
            assert row["first_s"] > row["step_s"]
