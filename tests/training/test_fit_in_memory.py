"""`fit`, `evaluate` and `export` from lists of texts and labels, without files."""

import contextlib

import numpy as np
import pytest

from tests.helpers.tiny_data import WORDS
from xmc_keras import (
    BadInput,
    Config,
    Documents,
    RunFolder,
    evaluate,
    export,
    fit,
    read_documents,
)
from xmc_keras.serving.server.served_model import ServedModel

LIGHTDXML = {"system": "lightdxml", "encoder": "words", "embedding_dim": 16}
LIGHTDXML |= {"learning_rate": 0.03, "batch_size": 16, "refresh": 2, "epochs": 3}
LIGHTDXML |= {"proxy_dim": 24, "proxy_epochs": 2, "num_neighbors": 12}
LIGHTXML = {"max_tokens": 16, "num_feature_layers": 2, "feature_dropout": 0.1}
LIGHTXML |= {"max_leaf": 5, "top_k": 2, "bottleneck_dim": 8, "batch_size": 8}
LIGHTXML |= {"initial_probability": 0.5, "epochs": 2, "learning_rate": 0.01}
LIGHTXML |= {"head_learning_rate": 0.03}
ONE_VS_ALL = {"system": "one_vs_all", "max_tokens": 16, "num_feature_layers": 1}
ONE_VS_ALL |= {"pooling": "mean", "feature_dropout": 0.1, "batch_size": 8, "epochs": 2}
ONE_VS_ALL |= {"block_labels": 7, "head_start": "centroids", "schedule": "cosine"}
ONE_VS_ALL |= {"optimizer": "rowwise_sgd", "head_learning_rate": 0.3}
ONE_VS_ALL |= {"momentum": 0.5, "learning_rate": 0.003, "swa_start": 1, "swa_every": 5}
TRANSFORMERS = {"lightxml": LIGHTXML, "one_vs_all": ONE_VS_ALL}
SYSTEMS = [
    *("lightxml", "lightdxml"),
    pytest.param("one_vs_all", marks=pytest.mark.large),
]
SHARED = {"validation_documents": 30, "num_predictions": 10}


@pytest.fixture(scope="module")
def parts(tiny_data):
    read = [read_documents(tiny_data, part) for part in ("train", "test")]
    return [Documents(part.texts, part.labels) for part in read]


@pytest.fixture(scope="module")
def make_config(tiny_encoder):
    def make_config(system, **settings):
        if system == "lightdxml":
            return Config(**{**LIGHTDXML, **SHARED, **settings})
        encoder = str(tiny_encoder)
        keys = {**TRANSFORMERS[system], **SHARED, **settings}
        return Config(encoder=encoder, **keys)

    return make_config


@pytest.fixture(scope="module")
def trained(parts, make_config, tmp_path_factory):
    """Trains a system once: its config, and the result of `fit`."""
    results = {}

    def trained(system):
        if system not in results:
            config, (train, test) = make_config(system), parts
            folder = tmp_path_factory.mktemp("empty")
            with contextlib.chdir(folder):
                result = fit(config, train, test=test, progress=False)
            assert list(folder.iterdir()) == []
            results[system] = config, result
        return results[system]

    return trained


@pytest.mark.parametrize("system", SYSTEMS)
def test_without_a_folder(system, parts, trained):
    train, test = parts
    config, result = trained(system)
    assert [row["epoch"] for row in result.history] == list(range(config.epochs))
    assert result.seconds > 0 and result.metrics["documents"] == 60
    assert set(result.metrics["baselines"]) == {
        "most popular labels",
        "nearest label by TF-IDF",
    }
    # The model has the weights of its best epoch, and evaluates as it did.
    metrics = evaluate(result.model, test, train=train, config=config)
    for name in ("P@1", "nDCG@5", "PSP@5", "PSnDCG@3", "recall@10"):
        assert metrics[name] == pytest.approx(result.metrics[name])
    assert not any(name.startswith("PS") for name in evaluate(result.model, test))
    names = set(WORDS)
    for row in result.model.recommend(test.texts[:3], k=4):
        assert len(row) == 4 and {name for name, _ in row} <= names


@pytest.mark.large
def test_the_best_epoch_is_kept(parts, make_config):
    """Not the last one: training with a rate that destroys the model."""
    train, _ = parts
    settings = {"schedule": "constant", "warmup": 0, "epochs": 3}
    result = fit(make_config("lightxml", **settings), train, progress=False)
    best = max(row["val_precision_at_5"] for row in result.history)
    assert result.metrics["P@5"] == pytest.approx(100 * best, abs=1e-3)


@pytest.mark.large
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_folder_gives_the_same_model(system, parts, trained, tmp_path):
    train, test = parts
    config, memory = trained(system)
    folder = fit(config, train, test=test, run=tmp_path / "run", progress=False)
    assert memory.metrics["P@1"] == folder.metrics["P@1"]
    for ours, theirs in zip(memory.model.get_weights(), folder.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    run = RunFolder(tmp_path / "run")
    assert run.finished and run.config() == config
    again = fit(config, train, run=run, resume=True, progress=False)
    assert again.metrics["P@1"] == folder.metrics["P@1"]
    with pytest.raises(BadInput, match="`resume=True`.*`overwrite=True`"):
        fit(config, train, run=run)
    with pytest.raises(BadInput, match="training part that the run was started with"):
        fit(config, train.subset(range(100)), run=run, resume=True, progress=False)


@pytest.mark.large
def test_static_negatives_without_a_folder(parts, make_config):
    train, _ = parts
    config = make_config("lightxml", negatives="static", recall_epochs=1)
    result = fit(config, train, progress=False)
    assert [row["epoch"] for row in result.history] == [1]


LEVELS = {"levels": [2, 4], "max_leaf": 3, "top_k": 3, "num_feature_layers": 5}
LEVELS |= {"level_layers": [1, 1, [1, 2], 2], "bottleneck_activation": "sigmoid"}


@pytest.mark.large
def test_a_cascade_of_levels(parts, make_config, tmp_path):
    train, test = parts
    config = make_config("lightxml", **LEVELS, epochs=4, head_start="centroids")
    fit(config, train, run=tmp_path / "run", progress=False)
    run = RunFolder(tmp_path / "run")
    assert run.config().levels == [2, 4] and run.config().level_layers[2] == [1, 2]
    model = run.load_model()
    numbers = [part.num_clusters for part in (model.generator, *model.levels)]
    assert numbers == [2, 4, 8] and model.levels[-1].num_labels == 20
    np.testing.assert_array_equal(model.label_clusters.clusters, run.clusters())
    assert evaluate(model, test)["P@1"] > 40  # the most popular label alone has 40


def test_levels_beyond_the_encoder(parts, make_config):
    config = make_config("lightxml", **{**LEVELS, "level_layers": [1, 1, 2, 3]})
    with pytest.raises(BadInput, match="does not fit its encoder.*backbone with 2"):
        fit(config, parts[0], progress=False)


def test_validation_documents_of_ones_own(parts, make_config):
    train, test = parts
    config = make_config("lightdxml", epochs=1)
    result = fit(config, train, validation=test, progress=False)
    assert result.metrics["train_documents"] == len(train)
    assert result.metrics["validation_documents"] == len(test) == 60


@pytest.mark.large
@pytest.mark.parametrize(
    "system", ["lightdxml", pytest.param("one_vs_all", marks=pytest.mark.large)]
)
def test_an_export_of_a_model(system, parts, trained, tmp_path):
    _, test = parts
    model = trained(system)[1].model
    version = export(model, tmp_path / "exports", test.texts[:8], k=3)
    served = ServedModel(tmp_path / "exports" / str(version))
    found = served.predict({"text": np.array([test.texts[0].encode()], object)})
    expected = [name for name, _ in model.recommend(test.texts[:1], k=3)[0]]
    assert [name.decode() for name in found["labels"][0]] == expected
    served.close()
    with pytest.raises(BadInput, match="k between 1 and 10"):
        export(model, tmp_path / "exports", test.texts[:8], k=11)


@pytest.mark.parametrize(
    "texts, labels, message",
    [
        (["a"], [], "1 texts, 0 lists of labels"),
        (["a", 3], [["x"], ["y"]], "Received: 3 of type int at place 1"),
        ("ab", [["x"], ["y"]], "Received: 'ab', one string"),
        (["a", "b"], [["x"], None], "Received: None for text 1"),
        (["a", "b"], [["x"], 1], "Received: 1 for text 1"),
        (["a"], ["x"], "Received: 'x' for text 0"),
        (["a"], [[7]], r"Received: \[7\] for text 0"),
    ],
)
def test_documents_that_are_none(texts, labels, message):
    with pytest.raises(ValueError, match=message):
        Documents(texts, labels)
