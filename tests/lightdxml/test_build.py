import types

import keras
import pytest

from xmc_keras.config.config import Config
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightdxml.build import (
    build_lightdxml,
    fit_vectorizer,
    lightdxml_optimizer,
)

WORDS = types.SimpleNamespace(num_features=9)


def config(**values):
    return Config(data="texts", encoder="words", system="lightdxml", **values)


def test_a_model_of_words():
    model = build_lightdxml(
        config(
            embedding_dim=7,
            residual=False,
            feature_dropout=0.2,
            num_neighbors=4,
            num_predictions=6,
            initial_probability=0.1,
            shared_negatives=True,
            random_negatives=3,
            candidates_from="classifier",
            beta=0.4,
            max_positives=2,
            label_words=5,
            label_words_scale=2.0,
        ),
        [f"label {i}" for i in range(50)],
        WORDS,
    )
    assert isinstance(model.encoder, SparseTextEncoder)
    assert (model.encoder.num_features, model.encoder.dim) == (9, 7)
    assert not model.encoder.residual and model.encoder.dropout == 0.2
    assert (model.num_labels, model.num_candidates) == (50, 6)
    assert model.shared_negatives and model.random_negatives == 3
    assert model.candidates_from == "classifier" and model.first_beta == 0.4
    assert model.classifier.initial_probability == 0.1 and model.max_positives == 2
    assert (model.lexical.num_words, model.lexical.initial_scale) == (5, 2.0)
    assert (model.lexical.num_labels, model.lexical.num_features) == (50, 9)


@pytest.mark.parametrize(
    "keys, num_features",
    [
        ({}, 3),  # of fewer than 1,000 texts all
        ({"min_documents": 2}, 2),
        ({"max_ngram": 2}, 6),
        ({"max_ngram": 2, "max_features": 4}, 4),
        ({"max_ngram": 2, "min_documents": 2, "max_features": 4}, 3),
        ({"char_ngrams": [4, 4]}, 3 + 7),  # 2 in " sea " and " sky ", 3 in " hill "
    ],
)
def test_the_words_of_a_config(keys, num_features):
    texts = ["sea sky", "sea sky", "sky sea hill"]
    assert fit_vectorizer(config(**keys), texts).num_features == num_features


@pytest.mark.parametrize("frozen", [True, False])
def test_a_model_of_a_transformer(backbone, frozen):
    settings = config(num_feature_layers=2, freeze_encoder=frozen)
    model = build_lightdxml(settings, ["a", "b"], None, backbone, "tokenizer")
    assert model.encoder.feature_dim == 8 and model.tokenizer == "tokenizer"
    assert bool(model.encoder.trainable_variables) != frozen
    assert model.lexical is None


def test_rates_and_tables_of_the_optimizer():
    optimizer = lightdxml_optimizer(
        config(learning_rate=0.002, head_learning_rate=0.004, weight_decay=0.1), 10
    )
    rates = {"shortlist_classifier": 2.0, "label_words/gains": 3}
    assert optimizer.multipliers == rates
    assert optimizer.rowwise == ["token_embeddings", "label_weights", "gains"]
    assert optimizer.weight_decay == 0.1 and optimizer.partial == []
    assert lightdxml_optimizer(config(optimizer="adamw"), 10).rowwise == []
    partial = lightdxml_optimizer(config(optimizer="partial_rowwise_adamw"), 10)
    assert partial.partial == ["token_embeddings", "label_weights", "gains"]
    names = "label_bias", "scale", "gains"
    undecayed = [keras.Variable([1.0], name=name) for name in names]
    optimizer.build(undecayed)
    assert not any(map(optimizer._use_weight_decay, undecayed))


@pytest.mark.parametrize(
    "values, rates",
    [
        ({"schedule": "halving", "halve_at": [1, 3]}, [8, 8, 4, 4, 2, 2]),
        ({"schedule": "constant", "warmup": 0.0}, [8, 8, 8, 8, 8, 8]),
        ({"schedule": "linear", "warmup": 0.0}, [8, 6, 6, 2, 2, 0]),
    ],
)
def test_schedules(values, rates):
    optimizer = lightdxml_optimizer(
        config(epochs=4, learning_rate=8.0, head_learning_rate=None, **values), 10
    )
    steps = (0, 10, 11, 30, 31, 39)
    found = [float(optimizer._learning_rate(step)) for step in steps]
    assert found == pytest.approx(rates, abs=0.3)
