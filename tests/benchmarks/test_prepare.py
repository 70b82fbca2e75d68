"""prepare.py on a small set."""

import json

import pytest

from tests.helpers.programs import run_benchmark


@pytest.mark.parametrize(
    "format", [pytest.param("fasttext", marks=pytest.mark.large), "repository"]
)
def test_its_figures(tmp_path, format):
    file = tmp_path / "figures.json"
    sizes = ["--documents", 3000, "--test-documents", 500, "--labels", 700]
    options = ["--format", format, "--json", file, *sizes, "--words", 12]
    options += ["--kill"] * (format == "fasttext")
    done = run_benchmark("speed.prepare", *options)
    assert done.returncode == 0, done.stderr
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
