"""joined.py on a run of a tiny LightXML."""

import json

import pytest

from tests.helpers.fit_runs import metrics
from tests.helpers.programs import run_benchmark


@pytest.mark.large
def test_a_transformer_alone_and_joined(tiny_run, tmp_path):
    path = tmp_path / "folder" / "joined.json"
    done = run_benchmark("accuracy.joined", tiny_run.folder, "--json", path)
    assert done.returncode == 0, done.stderr
    record = json.loads(path.read_text())
    alone, joined = record["measured"]
    assert record["commit"] and "joined" in done.stderr
    assert (alone["model"], joined["model"]) == ("alone", "joined")
    expected = metrics(tiny_run.folder)
    for name in ("P@1", "P@3", "P@5", "PSP@5"):
        assert alone[name] == pytest.approx(expected[name], abs=0.006)
    assert joined["join_s"] > 0
