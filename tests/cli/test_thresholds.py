"""Thresholds from the command line, on a calibrated run."""

import json

import numpy as np
import pytest

from tests.helpers.drawn_documents import write_drawn_data
from xmc_keras import Config, RunFolder, choose_thresholds, export, export_runs, fit
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.load_version import load_version


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    parts = write_drawn_data(folder / "data")
    config = Config(
        system="lightdxml",
        data=str(folder / "data"),
        encoder="words",
        embedding_dim=8,
        epochs=3,
        proxy_epochs=0,
        label_words=8,
        candidates_from="classifier",
        linear=True,
        validation_documents=250,
    )
    run = RunFolder(folder / "run")
    fit(config, parts["train"], test=parts["test"], run=run, progress=False)
    return run


@pytest.fixture
def answers_of(call):
    def answers_of(*arguments):
        done = call("predict", *arguments)
        assert done.status == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return answers_of


def test_scores_are_calibrated_before_validation_documents_are_learnt(run):
    metrics = json.loads(run.metrics_path.read_text())
    assert metrics["learnt_validation"] and metrics["calibrated_on"] == 250
    model = run.load_model()
    assert len(model.calibration.answers.label_ids) == 250
    # 1,500 predictions have an error of about 2 points by chance.
    assert metrics["ECE@5"] < 6


def test_predict(run, tmp_path, call, answers_of):
    texts = ["game puzzle", "word1 word2", "python library server"]
    ranked = answers_of(run.path, "-k", 6, *texts)
    least = choose_thresholds(run.load_model(), "precision=0.8")
    found = answers_of(run.path, "--threshold", "precision=0.8", *texts)
    for row, every in zip(found, ranked, strict=True):
        number = sum(score >= least for score in every["scores"])
        assert row["labels"] == every["labels"][:number]
    assert 0 < len(found[0]["labels"]) < 6
    assert answers_of(run.path, "--threshold", 1, *texts)[1]["labels"] == []
    source, output = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    source.write_text("\n".join(texts) + "\n")
    more = "--input", source, "--output", output
    assert answers_of(run.path, *more, "--threshold", "f1") == []
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [row["text"] for row in lines] == texts


def test_evaluate(run, call):
    done = call("evaluate", run.path, "--threshold", "precision=0.8", "--json")
    assert done.status == 0, done.stderr
    selection = json.loads(done.stdout)["selection"]
    assert selection["target"] == "precision=0.8"
    assert abs(selection["micro_precision"] - 80) < 10
    assert 0 < selection["labels_a_document"] < 6


@pytest.mark.parametrize(
    "threshold, words",
    [
        ("best", "Expected a threshold: f1, macro_f1, precision=0.9"),
        ("2", "Expected a threshold from 0 to 1. Received: 2."),
        ("recall=1", "Expected a threshold with recall=1 on the validation documents"),
    ],
)
def test_bad_thresholds(run, threshold, words, call):
    done = call("predict", run.path, "--threshold", threshold, "a")
    assert done.status == 2 and words in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_export(run, tmp_path, answers_of):
    texts = ["game puzzle", "word1 word2", "python library server"]
    export_runs([run], tmp_path / "exports", threshold="precision=0.8")
    served = load_version(tmp_path / "exports" / "1")
    text = np.array([text.encode() for text in texts], object)
    answer = served.predict({"text": text, "threshold": np.float32([-1] * 3)}, "select")
    served.close()
    expected = answers_of(run.path, "--threshold", "precision=0.8", *texts)
    for labels, count, row in zip(answer["labels"], answer["count"], expected):
        assert [name.decode() for name in labels[:count]] == row["labels"]
    with pytest.raises(BadInput, match="Expected a calibrated model, to choose"):
        export([run.load_model()] * 2, tmp_path / "more", texts, threshold="f1")
    assert not list((tmp_path / "more").glob("[0-9]*"))
