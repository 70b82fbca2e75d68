"""Training on very little data, with the defaults and with recipes for other data."""

import dataclasses
import itertools
import logging

import keras
import numpy as np
import pytest
import yaml
from scipy.sparse import csr_matrix

from tests.helpers.fit_runs import Killed
from xmc_keras import BadInput, Config, Documents, RunFolder, fit, load_config
from xmc_keras.config.resolve_config import resolve_config
from xmc_keras.data.splits import split_documents
from xmc_keras.metrics.ranking_metrics import precision_at_k

WORDS = [f"word{i}{letter}" for i in range(20) for letter in "abc"]
LIGHTDXML = {"system": "lightdxml", "encoder": "words", "epochs": 1}


def make_documents(number, num_labels, seed=0, unlabelled=0):
    """Random documents; the first ones have no labels, the others one or two."""
    random = np.random.default_rng([seed, number, num_labels])
    texts = [" ".join(random.choice(WORDS, 5)) for _ in range(number)]
    labels = [
        [] if i < unlabelled else sorted(set(random.choice(num_labels, 2).astype(str)))
        for i in range(number)
    ]
    return Documents(texts, labels)


@pytest.fixture
def make_config(tiny_encoder):
    sizes = {"max_tokens": 16, "num_feature_layers": 2}  # those of the encoder

    def make_config(name, **keys):
        if name in ("lightxml", "lightdxml"):
            keys = {**LIGHTDXML, **keys} if name == "lightdxml" else keys
            config = Config(**{"encoder": str(tiny_encoder), "epochs": 1, **keys})
        else:
            config = dataclasses.replace(load_config(name), **keys)
        if config.encoder == "words":
            return config
        return dataclasses.replace(config, encoder=str(tiny_encoder), **sizes)

    return make_config


def check_fit(config, documents):
    """Trains and compares the ranking with the metrics: as many labels as there are."""
    result = fit(config, documents, progress=False)
    names = {name for labels in documents.labels for name in labels}
    found = result.model.recommend(documents.texts[:3], k=5)
    assert [len(labels) for labels in found] == [min(5, len(names))] * 3
    assert {name for labels in found for name, _ in labels} <= names
    assert len(result.history) == config.epochs
    assert all(np.isfinite(list(row.values())).all() for row in result.history)
    metrics = result.metrics
    held_out = max(1, len(documents) // 10)
    assert metrics["validation_documents"] == metrics["documents"] == held_out
    assert metrics["train_documents"] == len(documents) - held_out
    assert 0 <= metrics["P@5"] <= 20 * min(5, len(names)) + 1e-9
    return result


@pytest.mark.parametrize(
    "system, sizes, keys",
    [
        ("lightdxml", (3, 1), {}),
        pytest.param(
            "lightdxml_debian24k", (10, 2), {"epochs": 1}, marks=pytest.mark.large
        ),
        pytest.param("lightxml", (3, 1), {}, marks=pytest.mark.large),
        pytest.param("quickstart", (10, 2), {}, marks=pytest.mark.large),
    ],
)
def test_almost_no_data(system, sizes, keys, make_config):
    check_fit(make_config(system, **keys), make_documents(*sizes))


@pytest.mark.large
@pytest.mark.parametrize("num_labels", [1, 2, 7, 30])
@pytest.mark.parametrize("documents", [3, 4, 10, 40])
@pytest.mark.parametrize("unlabelled", [0, 1])
@pytest.mark.parametrize(
    "system, keys",
    [
        ("lightxml", {}),
        ("lightxml", {"max_leaf": 1}),
        ("lightxml", {"max_leaf": 2, "head_start": "centroids"}),
        ("lightxml", {"epochs": 2, "swa_start": 1}),
        ("lightxml", {"epochs": 2, "negatives": "static", "max_leaf": 2}),
        ("lightxml", {"system": "lightdxml"}),
        ("lightdxml", {}),
        ("lightdxml", {"proxy_epochs": 0, "num_neighbors": 1}),
        ("lightdxml_debian24k", {"epochs": 1}),
        ("amazon670k", {"epochs": 1, "swa_start": None}),
    ],
)
def test_little_data(system, keys, documents, num_labels, unlabelled, make_config):
    check_fit(
        make_config(system, **keys),
        make_documents(documents, num_labels, unlabelled=unlabelled),
    )


def text(i):
    """Four words; those of two documents differ."""
    return " ".join(WORDS[i + j] for j in (0, 7, 11, 13))


# Sets of twenty documents that leave little to learn.
ODD = {
    "one document a label": [(text(i), [f"label{i}"]) for i in range(20)],
    "all labels on all documents": [(text(i), list("abcdefg")) for i in range(20)],
    "one label": [(text(i), ["a"]) for i in range(20)],
    "equal documents": [("the same text", ["a", "b"])] * 20,
    "equal texts": [("the same text", [f"label{i % 7}"]) for i in range(20)],
    "one word a text": [(WORDS[i % 5], [f"label{i % 5}"]) for i in range(20)],
    "one text with a word": [("!" if i else "a", [f"{i % 3}"]) for i in range(20)],
    "few labels": [(text(i), ["a"] if i in (4, 5) else []) for i in range(20)],
}
BLIND = "None of the 2 validation documents has a label of the documents to train on"
FAST = [("lightdxml", "one document a label"), ("lightdxml", "one text with a word")]


@pytest.mark.parametrize(
    "system, name",
    [
        pytest.param(*pair, marks=[] if pair in FAST else pytest.mark.large)
        for pair in itertools.product(("lightdxml", "lightxml"), ODD)
    ],
)
def test_sets_that_leave_little_to_learn(system, name, make_config, tmp_path, caplog):
    documents = Documents(*map(list, zip(*ODD[name])))
    config = make_config(system, epochs=2)
    split = split_documents(resolve_config(config, 20, 20), 20)
    trained, held_out = (set(sum(documents.subset(i).labels, [])) for i in split)
    saved = []

    class Saved(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            saved.append((tmp_path / "run/best.keras").stat().st_mtime_ns)

    callbacks = [Saved()] if system == "lightxml" else []
    keys = {"progress": False, "run": tmp_path / "run", "callbacks": callbacks}
    result = fit(config, documents, **keys)
    assert all(np.isfinite(list(row.values())).all() for row in result.history)
    found = result.model.recommend([*documents.texts[:3], ""], k=5)
    count = len({label for labels in documents.labels for label in labels})
    assert [len(labels) for labels in found] == [min(5, count)] * 4
    # A validation split without known labels is named, and the last epoch kept.
    assert (BLIND in caplog.text) == trained.isdisjoint(held_out)
    if trained.isdisjoint(held_out) and callbacks:
        assert len(set(saved)) == 2


@pytest.mark.parametrize("number", [0, 1, 2])
def test_too_few_documents(number, make_config):
    for system in ("lightxml", "lightdxml"):
        with pytest.raises(BadInput, match=f"at least 3 documents .*ed: {number}"):
            fit(make_config(system), make_documents(number, 2), progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quickstart", make_documents(9, 2)), "`config` to be a `Config`.*`load_conf"),
        ((Config(**LIGHTDXML), ["a", "b"]), "`train` to be `Documents` or"),
        ((Config(**LIGHTDXML), make_documents(9, 2), ["a"]), "`validation` to be"),
        (
            (Config(**LIGHTDXML), make_documents(9, 2), None, Documents([], [])),
            "Expected documents in `test`. Received: none",
        ),
    ],
)
def test_arguments_of_other_kinds(arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(*arguments, progress=False)


@pytest.mark.parametrize("system", ["lightxml", "lightdxml"])
def test_documents_that_cannot_be_learnt_from(system, make_config):
    config = make_config(system)
    with pytest.raises(BadInput, match="Expected texts with at least one word"):
        fit(config, Documents(["!?"] * 9, [["a"]] * 9), progress=False)
    others = Documents([text(1)], [["elsewhere"]])
    for part in ("test", "validation"):
        with pytest.raises(BadInput, match="Received: 'elsewhere'. None is known"):
            fit(config, make_documents(9, 2), **{part: others}, progress=False)
    # The only document with a label is held back.
    _, (held_out,) = split_documents(resolve_config(config, 9, 1), 9)
    labels = [["a"] if i == held_out else [] for i in range(9)]
    documents = Documents([text(i) for i in range(9)], labels)
    with pytest.raises(BadInput, match="Expected a label on the documents to train"):
        fit(config, documents, progress=False)


def test_no_labels_at_all(make_config):
    documents = make_documents(10, 2, unlabelled=10)
    with pytest.raises(BadInput, match="Expected labels"):
        fit(make_config("lightdxml"), documents, progress=False)


@pytest.mark.parametrize(
    "keys, pattern",
    [
        ({"validation_documents": 200}, "size=200, num_documents=200"),
        ({"top_k": 3}, "top_k to be at most the number of clusters, 1. .*top_k out"),
        ({"train_documents": 181}, "left by the validation split, 180"),
    ],
)
def test_a_size_of_ones_own_must_fit(keys, pattern, make_config):
    with pytest.raises(BadInput, match=pattern):
        fit(make_config("lightxml", **keys), make_documents(200, 20), progress=False)


@pytest.mark.large
def test_it_says_what_it_chose_and_resumes_with_it(
    call, tmp_path, tiny_data, tiny_encoder, monkeypatch
):
    """The four lines of the README on data of a person's own."""
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "mine.yaml"
    lines = [f"data: {tiny_data}", f"encoder: {tiny_encoder}", "max_tokens: 16"]
    lines += ["epochs: 1", "num_feature_layers: 2"]
    recipe.write_text("\n".join(lines) + "\n")
    sizes = ["train_documents: 12000", "top_k: 75"]
    other = "\n".join(["data: other", *lines[1:], *sizes])
    (tmp_path / "other.yaml").write_text(other)
    said = call("fit", recipe)
    assert said.status == 0, said.stderr
    resolved = yaml.safe_load((tmp_path / "runs/mine/config.yaml").read_text())
    assert (resolved["validation_documents"], resolved["top_k"]) == (16, 1)
    # Not finished: it would continue, with what it chose.
    (tmp_path / "runs/mine/metrics.json").unlink()
    RunFolder("runs/mine").check(load_config(recipe), resume=True)
    changed = call("fit", recipe, "--resume", "--set", "top_k=2")
    assert changed.status == 2 and "top_k was 1, is 2" in changed.stderr

    said = call("fit", "other.yaml", "--data", tiny_data)
    assert said.status == 0, said.stderr
    resolved = yaml.safe_load((tmp_path / "runs/other/config.yaml").read_text())
    assert (resolved["train_documents"], resolved["top_k"]) == (144, 1)
    settings = ("--data", tiny_data, "--set", "top_k=75", "--run", "runs/new")
    wrong = call("fit", "other.yaml", *settings)
    assert wrong.status == 2 and "top_k to be at most" in wrong.stderr
    assert not (tmp_path / "runs/new").exists()


def test_the_choice_is_logged(make_config, caplog):
    caplog.set_level(logging.INFO)
    fit(make_config("lightdxml"), make_documents(10, 2), progress=False)
    assert "Chosen for this data: validation_documents: 1" in caplog.text


@pytest.mark.parametrize("system", ["lightxml", "lightdxml"])
def test_a_language_that_the_encoder_does_not_know(system, make_config, caplog):
    class Stop(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise Killed

    config = make_config("lightxml", system=system)
    documents = Documents(
        ["中国古代文学史研究", "日本文学の歴史"] * 3, [["a"], ["b"]] * 3
    )
    with pytest.raises(Killed):
        fit(config, documents, callbacks=[Stop()], progress=False)
    (warning,) = [r.getMessage() for r in caplog.records if "language" in r.msg]
    assert "of 5 texts looked at it does not know 100%" in warning
    assert config.encoder in warning and "encoder: bert_base_multi" in warning


def test_precision_with_fewer_labels_than_k():
    """P@5 divides by five, also where there are two labels, as the papers do."""
    relevant = csr_matrix([[1.0, 1.0]])
    assert precision_at_k(np.array([[0, 1]]), relevant, 5) == 2 / 5
