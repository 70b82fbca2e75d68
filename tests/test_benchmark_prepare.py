"""benchmarks/speed/prepare.py on a small set."""

import json
import subprocess
import sys

import pytest

from tests.helpers.project import PROJECT


@pytest.mark.parametrize("format", ["fasttext", "repository"])
def test_its_figures(tmp_path, format):
    file = tmp_path / "figures.json"
    sizes = ["--documents", 3000, "--test-documents", 500, "--labels", 700]
    command = [
        "benchmarks/speed/prepare.py",
        "--format",
        format,
        "--json",
        file,
        *sizes,
    ]
    command += ["--words", 12] + ["--kill"] * (format == "fasttext")
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=PROJECT, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(file.read_text())
    assert json.loads(done.stdout) == found
    train = found["summary"]["train"]
    assert (train["documents"], train["words_a_document"]) == (3000, 12.0)
    assert found["summary"]["test"]["documents"] == 500
    # Repeated labels of a document are one, which Zipf's law makes some of them.
    assert 3 < train["labels_a_document"] < 4.75
    assert found["documents_s"] == pytest.approx(3500 / found["seconds"], rel=0.05)
    assert 0.05 < found["peak_gb"] < 2
    assert found.get("same_bytes", True)
    assert ("resumed_seconds" in found) == (format == "fasttext")
