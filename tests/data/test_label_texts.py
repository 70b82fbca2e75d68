"""Texts of labels as further documents, from `xmc prepare` to a training."""

import json
import shutil

import numpy as np
import pytest

from tests.helpers.fit_runs import Killed, metrics
from tests.helpers.tiny_data import WORDS, write_words_recipe
from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import Documents, read_documents
from xmc_keras.data.label_texts import add_label_documents, read_label_texts
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.training.fit import fit
from xmc_keras.training.planning.one_vs_all_plan import OneVsAllPlan

KEYS = {"system": "lightdxml", "encoder": "words", "embedding_dim": 8}
KEYS |= {"epochs": 1, "proxy_epochs": 0, "label_documents": True}


@pytest.fixture
def data(tiny_data, tmp_path):
    folder = shutil.copytree(tiny_data, tmp_path / "data")
    rows = [f"{name}\t{' '.join(words)}\n" for name, words in WORDS.items()]
    (folder / "label_texts.txt").write_text("".join([*rows[3:], "other\ttext\n"]))
    return folder


@pytest.fixture
def tasks(monkeypatch):
    """What trainings of LightDXML got."""
    from xmc_keras.training import fit as fit_module

    tasks, trained = [], fit_module.SYSTEMS["lightdxml"]

    def keep(task):
        tasks.append(task)
        return trained(task)

    monkeypatch.setitem(fit_module.SYSTEMS, "lightdxml", keep)
    return tasks


@pytest.mark.large
def test_documents_are_added_to_those_to_train_on(data, tmp_path, call, tasks):
    recipe = write_words_recipe(tmp_path, data, **KEYS)
    result = call("fit", recipe, "--run", tmp_path / "run")
    assert result.status == 0, result.stderr
    [task] = tasks
    names = list(WORDS)[3:]
    assert len(task.train) == 130 + 17 and len(task.validation) == 30
    assert task.train.labels[130:] == [[name] for name in names]
    assert task.train.texts[130:] == [" ".join(WORDS[name]) for name in names]
    # Propensities are those of the documents.
    assert len(task.everything) == 160
    found = metrics(tmp_path / "run")
    assert found["train_documents"] == 147
    # Other data, without such a file, is learnt without.
    other = tmp_path / "other"
    shutil.copytree(data, other)
    (other / "label_texts.txt").unlink()
    assert load_config(recipe, data=str(other)).label_documents is False
    assert load_config(recipe, data=str(data)).label_documents is True


@pytest.mark.large
def test_resume_after_a_text_changed(data, tmp_path, call, monkeypatch):
    def die(*arguments):
        raise Killed

    recipe, run = write_words_recipe(tmp_path, data, **KEYS), tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("xmc_keras.training.loops.train_lightdxml.train_lightdxml", die)
        with pytest.raises(Killed):
            call("fit", recipe, "--run", run)
    path = data / "label_texts.txt"
    text = path.read_text()
    path.write_text(text.replace("word5a", "word6a"))
    result = call("fit", recipe, "--run", run, "--resume")
    assert result.status == 2 and "other label_texts.txt" in result.stderr
    path.write_text(text)
    assert call("fit", recipe, "--run", run, "--resume").status == 0


def test_in_memory(data, tasks):
    train = read_documents(data, "train")
    texts = {"label00": "a text of a label"}
    weights = np.full(160, 2.0)
    documents = Documents(train.texts, train.labels, weights=weights, label_texts=texts)
    fit(Config(**KEYS, validation_documents=30), documents, progress=False)
    [task] = tasks
    assert task.train.texts[-1] == "a text of a label" and len(task.train) == 131
    assert task.train.weights.tolist() == [2.0] * 130 + [1.0]
    bare = Documents(train.texts, train.labels)
    with pytest.raises(BadInput, match="documents without. Give them as `label_texts`"):
        fit(Config(**KEYS), bare)
    # A recipe that names other data.
    result = fit(Config(**KEYS, data="elsewhere"), bare, progress=False)
    assert result.metrics["train_documents"] == 144


@pytest.mark.parametrize(
    "content, line, message",
    [
        (None, None, "Expected label_texts.txt in this folder"),
        ("label03\n", 1, "Expected a label, a tab and a text. Received: 'label03'"),
        ("label03\ta\nlabel04\t \n", 2, "Expected a label, a tab and a text"),
        ("label03\ta\nlabel03\tb\n", 2, "each label once. Received: 'label03' again"),
        ("x\ta\ny\tb\n", None, "such as 'label00'. Received: 2 of others"),
        (b"label03\t\xff\n", 1, "UTF-8"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "plan"])
def test_bad_input(command, content, line, message, data, tmp_path, call):
    path = data / "label_texts.txt"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    recipe = write_words_recipe(tmp_path, data, **KEYS)
    arguments = ["--run", tmp_path / "run"] if command == "fit" else []
    result = call(command, recipe, *arguments, tensorflow=False)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert result.status == 2 and len(errors) == 1, result.stderr
    assert message in errors[0] and not (tmp_path / "run").exists()
    assert line is None or f"label_texts.txt:{line}: " in errors[0]


def test_features_have_no_texts_of_labels(tmp_path, call):
    lines = [f"{i % 2} 0:{i}.5\n" for i in range(1, 31)]
    (tmp_path / "train.txt").write_text("".join(["30 2 2\n", *lines]))
    keys = ["system=lightdxml", "encoder=words", "label_documents=true"]
    settings = [argument for key in keys for argument in ("--set", key)]
    result = call("fit", tmp_path, *settings, "--run", tmp_path / "run")
    assert result.status == 2 and "Received: features. Set label_documents to" in (
        result.stderr
    )


def test_the_plan_counts_them():
    keys = {"system": "one_vs_all", "encoder": "bert_base_en_uncased", "epochs": 1}
    keys |= {"batch_size": 100, "validation_documents": 1000}
    shape = EncoderShape.named(keys["encoder"])
    plans = [
        OneVsAllPlan(Config(**keys, label_documents=given), shape, 5000, 11_000)
        for given in (False, True)
    ]
    assert [plan.steps for plan in plans] == [100, 150]


def test_from_the_repository(tmp_path, call):
    source = tmp_path / "source"
    source.mkdir()
    labels = [
        {"title": "Red rose", "content": "A  plant\nwith thorns."},
        {"title": "Oak"},
        {"uid": "7"},
        {"title": "Nowhere"},
    ]
    ids = [[0, 1], [1], [2], [0, 2]]
    (source / "lbl.json").write_text("".join(json.dumps(x) + "\n" for x in labels))
    for part in ("trn", "tst"):
        rows = [
            {"title": f"text {i}", "content": "", "target_ind": x}
            for i, x in enumerate(ids)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (source / f"{part}.json").write_text(lines)
    made, again = tmp_path / "made", tmp_path / "again"
    assert call("prepare", source, made).status == 0
    assert call("prepare", made, again).status == 0
    wanted = {"Red_rose": "Red rose A plant with thorns.", "Oak": "Oak"}
    for folder in (made, again):
        assert read_label_texts(folder) == wanted
        train = read_documents(folder, "train")
        label_set = LabelSet.from_labels(train.labels)
        added = add_label_documents(train, read_label_texts(folder), label_set)
        assert len(added) == 6
