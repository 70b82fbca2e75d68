"""A transformer and words trained as one model: in memory, in a folder, resumed."""

import json

import numpy as np
import pytest

from tests.helpers.tiny_data import WORDS
from xmc_keras import Config, Documents, RunFolder, evaluate, fit, read_documents
from xmc_keras.recommending.hybrid import Hybrid
from xmc_keras.training.systems import fit_transformer as module
from xmc_keras.training.systems.join_words import join_words

KEYS = {"max_tokens": 16, "num_feature_layers": 1, "pooling": "mean", "epochs": 1}
KEYS |= {"feature_dropout": 0.1, "batch_size": 8, "head_start": "centroids"}
KEYS |= {"validation_documents": 30, "num_predictions": 10, "words": True}
SYSTEMS = {
    "lightxml": {"max_leaf": 5, "top_k": 2, "bottleneck_dim": 8},
    "one_vs_all": {"optimizer": "rowwise_sgd", "head_learning_rate": 0.3},
}


@pytest.fixture(scope="module")
def parts(tiny_data):
    read = [read_documents(tiny_data, part) for part in ("train", "test")]
    return [Documents(part.texts, part.labels) for part in read]


def make_config(encoder, system):
    keys = {**KEYS, **SYSTEMS[system]}
    return Config(system=system, encoder=str(encoder), **keys)


@pytest.mark.large
@pytest.mark.parametrize(
    "system", ["one_vs_all", pytest.param("lightxml", marks=pytest.mark.large)]
)
def test_a_hybrid_is_trained(system, parts, tiny_encoder, tmp_path):
    train, test = parts
    config, run = make_config(tiny_encoder, system), RunFolder(tmp_path / "run")
    result = fit(config, train, test=test, run=run, progress=False)
    model, metrics = result.model, result.metrics
    assert isinstance(model, Hybrid) and model.system == system
    weights = np.array(metrics["words"]["member_weights"], "float32")
    assert weights.shape == (5, 5) and (weights[:, :-1] >= 0).all()
    # Labels of the same number of documents have the same weight.
    assert set(model.label_weights.numpy()) <= set(weights[:, 3])
    assert metrics["learnt_validation"] and metrics["validation_of_transformer"]
    assert evaluate(model, test)["P@1"] == metrics["P@1"]
    # It is at least as good as its transformer, on the documents it was joined on.
    for name in ("P@1", "P@3", "P@5"):
        joined, alone = (
            metrics[key][name] for key in ("validation", "validation_of_transformer")
        )
        assert joined >= alone - 1
    assert {name for name, _ in model.recommend(test.texts[:1])[0]} <= set(WORDS)
    assert json.loads((tmp_path / "run/metrics.json").read_text()) == metrics
    assert not list((tmp_path / "run").rglob("checkpoint*"))
    assert [path.parent.name for path in (tmp_path / "run").rglob("*.keras")] == ["run"]
    again = fit(config, train, test=test, run=run, resume=True, progress=False)
    assert again.metrics == metrics


@pytest.mark.large
@pytest.mark.parametrize("after", ["transformer", "hybrid"])
def test_an_interrupted_join_continues(
    after, parts, tiny_encoder, tmp_path, monkeypatch
):
    """Killed right before the words are trained, or right after all is saved."""
    train, test = parts
    config = make_config(tiny_encoder, "one_vs_all")

    def interrupted(task, trained):
        if after == "hybrid":
            join_words(task, trained)
        raise KeyboardInterrupt

    run = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(module, "join_words", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(config, train, test=test, run=run, progress=False)
    assert not run.finished
    found = fit(config, train, test=test, run=run, resume=True, progress=False)
    whole = fit(config, train, test=test, progress=False)
    assert isinstance(found.model, Hybrid)
    for name in ("P@1", "P@5", "PSP@5"):
        assert found.metrics[name] == pytest.approx(whole.metrics[name], abs=1e-3)


@pytest.mark.large
def test_words_without_learning_from_validation(parts, tiny_encoder):
    train, _ = parts
    result = fit(make_config(tiny_encoder, "one_vs_all"), train, progress=False)
    assert result.metrics["evaluated_on"] == "validation"
    assert result.metrics["words"]["learnt_validation"] is False
