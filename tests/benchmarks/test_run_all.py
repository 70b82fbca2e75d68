"""run_all.py: what it keeps, and what RESULTS.md shows of it."""

import json

import pytest

from benchmarks import run_all

PROGRAM = """import json, sys
print(json.dumps({
    "sides": [{"side": "ours", "step_s": 1.25}], "asked": sys.argv[1:],
    "machine": {"cores": 3, "ram_gb": 4.5, "load": 0.1}, "commit": "abc",
}))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("benchmarks", "benchmarks/speed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.setattr(run_all, "HERE", tmp_path / "benchmarks")
    monkeypatch.setattr(run_all, "RESULTS", tmp_path / "benchmarks/results")
    runs = {
        "one": ("First", "speed.side --json --torch"),
        "other": ("Second", "speed.side --x 'a b'"),
    }
    monkeypatch.setattr(run_all, "RUNS", runs)
    (tmp_path / "benchmarks/speed/side.py").write_text(PROGRAM)
    return tmp_path / "benchmarks"


def ask(only, torch=None):
    run_all.main(type("Arguments", (), {"only": only, "torch": torch}))


def test_results_are_kept_and_shown(folder):
    ask("none")
    assert (folder / "RESULTS.md").read_text().count("Not measured.") == 2
    ask("on", torch="/some/python")
    kept = json.loads((folder / "results/one.json").read_text())
    assert kept["asked"] == ["--json", "--torch", "/some/python"]
    assert kept["command"] == "python -m benchmarks.speed.side --json --torch PYTHON"
    text = (folder / "RESULTS.md").read_text()
    assert "## First\n\n`python -m benchmarks.speed.side --json --torch PYTHON`" in text
    assert "commit abc, 3 cores, 4.5 GB" in text and "    ours    1.25\n" in text
    assert text.count("Not measured.") == 1
    ask(None)
    assert json.loads((folder / "results/one.json").read_text())["asked"] == ["--json"]
    other = json.loads((folder / "results/other.json").read_text())
    assert other["asked"] == ["--x", "a b"]
    assert "Not measured." not in (folder / "RESULTS.md").read_text()


def test_a_failed_run_keeps_what_was_there(folder):
    ask(None)
    before = (folder / "RESULTS.md").read_text()
    (folder / "speed/side.py").write_text("raise SystemExit(3)")
    with pytest.raises(SystemExit, match="one ended with status 3"):
        ask(None)
    assert (folder / "RESULTS.md").read_text() == before
    assert (folder / "results/one.json").exists()


def test_commands_have_their_current_form():
    for command in (
        "python benchmarks/predict.py --json --run runs/quickstart",
        "python -m benchmarks.speed.predict --json --run runs/quickstart",
    ):
        assert run_all.as_module(command) == (
            "python -m benchmarks.speed.predict --json --run runs/quickstart"
        )
    unknown = "python benchmarks/other.py --json"
    assert run_all.as_module(unknown) == unknown


def test_results_are_up_to_date():
    text = (run_all.HERE / "RESULTS.md").read_text()
    assert run_all.results() == text, "run python -m benchmarks.run_all --only none"


def test_figures_of_nested_dictionaries_have_a_line_each():
    record = {"seconds": 2, "clusters": {"smallest": 1, "by_seed": {"0": 0.5}}}
    expected = [("seconds", 2), ("clusters.smallest", 1), ("clusters.by_seed.0", 0.5)]
    assert list(run_all.flat(record)) == expected
