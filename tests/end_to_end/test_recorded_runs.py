"""Runs that commit 3cc6ade made load and answer as they did there.

tests/recorded_runs/ has one of each system, small, with what `predict.py` and a server
of their export answered to the same texts.
"""

import json
import shutil

import numpy as np
import pytest

from tests.helpers.project import PROJECT
from xmc_keras.data.documents import Documents
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.export import export_runs
from xmc_keras.serving.server.served_model import ServedModel

RECORDED = PROJECT / "tests/recorded_runs"


@pytest.fixture(params=["lightxml", "lightdxml"])
def run(request, tmp_path):
    shutil.copytree(RECORDED / request.param, tmp_path / request.param)
    return RunFolder(tmp_path / request.param)


def answers(run):
    lines = (run.path / "predicted.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_config_is_read(run):
    config = run.config()
    assert config.system == run.path.name
    text = (run.path / "config.yaml").read_text()
    assert "refresh: " in text and "max_leaf: " in text  # keys of both systems
    if config.system == "lightdxml":
        assert config.halve_at == [3, 4] and "halve_at: 3,4" in text


def test_the_model_answers_as_it_did(run):
    expected = answers(run)
    model = run.load_model()
    found = model.recommend([answer["text"] for answer in expected], k=5)
    for row, answer in zip(found, expected, strict=True):
        assert [name for name, _ in row] == answer["labels"]
        np.testing.assert_allclose([s for _, s in row], answer["scores"], atol=1e-5)


def test_the_export_answers_as_it_did(run, tmp_path):
    texts = [answer["text"] for answer in answers(run)]
    version = export_runs([run], tmp_path / "exports")
    served = ServedModel(tmp_path / "exports" / str(version))
    recorded = json.loads((run.path / "served.json").read_text("utf-8"))
    text = np.array([text.encode() for text in texts], object)
    inputs = {"serving_default": {}, "top_k": {"k": np.array(3, "int32")}}
    for name, expected in recorded.items():
        found = served.predict({"text": text, **inputs[name]}, name)
        labels = [[label.decode() for label in row] for row in found["labels"]]
        assert labels == expected["labels"]
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-5)
    served.close()


def test_it_is_evaluated(run, call):
    result = call("evaluate", run.path, "--json", *documents(run))
    assert result.status == 0, result.stderr
    assert json.loads(result.stdout)["documents"] == 2


def documents(run):
    """Options that name two documents, because the data of the run is gone."""
    first = answers(run)[:2]
    pairs = Documents([a["text"] for a in first], [a["labels"][:1] for a in first])
    (run.path / "t.txt").write_text("\n".join(pairs.texts) + "\n")
    (run.path / "l.txt").write_text("\n".join(x for (x,) in pairs.labels) + "\n")
    return ["--texts", run.path / "t.txt", "--labels", run.path / "l.txt"]
