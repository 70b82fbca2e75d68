"""Runs of LightDXML, on texts and on features, exported by the program."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.helpers.answers import check_equal, names_and_scores
from tests.helpers.project import PROJECT
from tests.helpers.tiny_lightdxml import NAMES, WORDS, make_lightdxml
from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import read_documents
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.version.documents_to_check import choose_documents, predict_names

METRICS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
TEXTS = ["sea sky", "Mud!", "", "sun air air"]


def make_run(folder, model):
    """A finished run without its training."""
    data = folder / "data"
    data.mkdir(parents=True)
    for part in ("train", "test"):
        (data / f"{part}_texts.txt").write_text("\n".join([WORDS, *TEXTS[:2], "sun"]))
        (data / f"{part}_labels.txt").write_text("p q r\nr s\nt\nu")
    path = folder / "config.yaml"
    path.write_text(
        f"data: {data}\nsystem: lightdxml\nencoder: words\nnum_predictions: 9\n"
        "num_neighbors: 1\n"
    )
    run = RunFolder(folder / "run")
    run.begin(load_config(path), LabelSet(NAMES), None, read_documents(data, "train"))
    model.compile()  # a run keeps only models that were trained
    run.save_model(model, "best")
    run.save_metrics(
        dict.fromkeys(METRICS, 50.0)
        | {"train_documents": 4, "propensity_a": 0.5, "propensity_b": 1.5}
    )
    return run


@pytest.fixture(scope="module")
def words_run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("words"), make_lightdxml(num_predictions=9))


@pytest.fixture(scope="module")
def features_run(tmp_path_factory):
    run = make_run(
        tmp_path_factory.mktemp("features"),
        make_lightdxml(vectorizer=False, num_predictions=9),
    )
    data = run.path.parent / "data"
    width = run.load_model().encoder.num_features
    (data / "test.txt").write_text(f"3 {width} 6\n0,2 1:0.5 3:2\n1 \n5 0:1 1:9\n")
    return run


def through_the_c_api(version, served):
    """The answer as a server in C++ has it, which reads variables in its own way."""
    packages = os.path.dirname(os.path.dirname(tf.__file__))
    signature = served.signature()
    endpoints = {**signature.inputs, **signature.outputs}
    endpoints = {key: info.name for key, info in endpoints.items()}
    command = [
        *(sys.executable, PROJECT / "tests/helpers/c_api_client.py"),
        *(f"{packages}/tensorflow", f"{packages}/tensorflow_text", version),
        *(json.dumps(endpoints), *TEXTS),
    ]
    process = subprocess.run(command, capture_output=True)
    assert process.returncode == 0, process.stderr.decode()
    answer = json.loads(process.stdout)
    answer["labels"] = [[name.encode() for name in row] for row in answer["labels"]]
    return answer


@pytest.mark.large
@pytest.mark.parametrize(
    "precision", [pytest.param("float32", marks=pytest.mark.large), "float16"]
)
def test_run_on_texts(words_run, call, tmp_path, precision):
    arguments = ("-k", 3, "--precision", precision, "--encoder-precision", precision)
    ended = call("export", words_run.path, tmp_path / "out", *arguments)
    assert ended.status == 0, ended.stderr
    version = tmp_path / "out" / "1"
    served = ServedModel(version)
    texts = np.array([text.encode() for text in TEXTS], object)
    answer = served.predict({"text": texts})
    if precision == "float32":
        check_equal(answer, words_run.load_model().recommend(TEXTS, 3))
    else:  # which has what is done at loading, too
        check_equal(through_the_c_api(version, served), names_and_scores(answer))
    assert set(served.signatures) == {
        *("serving_default", "top_k", "select", "score", "embed")
    }
    served.close()
    card = (version / "assets.extra" / "model_card.md").read_text("utf-8")
    assert "LightDXML: extreme multi-label" in card and "encoder: words" in card
    assert f"label tables {precision}" in card


@pytest.mark.large
def test_run_on_features(features_run, call, tmp_path, caplog):
    ended = call("export", features_run.path, tmp_path / "out", "--k", 4)
    assert ended.status == 0, ended.stderr
    assert "drawn at random" not in caplog.text
    model = features_run.load_model()
    documents = choose_documents(features_run, model, 2)
    assert documents.shape[0] == 2
    norms = scipy.sparse.linalg.norm(documents, axis=1)
    np.testing.assert_allclose(norms, [1, 0], atol=1e-6)
    served = ServedModel(tmp_path / "out" / "1")
    found = served.predict(
        {
            "indices": np.array([1, 3], np.int32),
            "values": np.array([0.5, 2], np.float32),
            "row_splits": np.array([0, 2, 2], np.int64),
        }
    )
    served.close()
    check_equal(found, predict_names(model, documents, 4))


def test_without_the_test_part(features_run, monkeypatch, caplog):
    config = features_run.config()
    config = dataclasses.replace(config, data=f"{config.data}/none")
    monkeypatch.setattr(features_run, "config", lambda: config)
    model = features_run.load_model()
    documents = choose_documents(features_run, model, 5)
    assert "Checking with random features. " in caplog.text
    assert documents.shape == (5, model.encoder.num_features)
    assert [len(row) for row in predict_names(model, documents, 4)] == [4] * 5


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--k", "7"], "Expected k between 1 and 6, the labels"),
        # As the model says, whatever its config does.
        (["--k", "6"], "Expected k between 1 and 5, the labels"),
        (["--k", "2", "--precision", "int8"], "float16 for LightDXML"),
    ],
)
def test_bad_input(words_run, call, tmp_path, arguments, message):
    ended = call("export", words_run.path, tmp_path / "out", *arguments)
    assert ended.status == 2 and message in ended.stderr
    assert not (tmp_path / "out").exists()


def test_texts_and_features(words_run, features_run, call, tmp_path):
    runs = words_run.path, features_run.path
    ended = call("export", *runs, tmp_path / "out", "-k", 2)
    assert ended.status == 2 and "some on texts and some on features" in ended.stderr
    assert json.loads(words_run.metrics_path.read_text())["P@1"] == 50.0
