"""A LightDXML judged as it will be used, which changes nothing in it."""

import numpy as np
import pytest
import scipy.sparse

from tests.helpers.tiny_lightdxml import make_lightdxml, make_with_words
from xmc_keras.config.config import Config
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.training.callbacks.judge import Judge

KEYS = [f"val_precision_at_{k}" for k in (1, 3, 5)]
SHARED = {"shared_negatives": True, "random_negatives": 2, "batch_size": 2}


def make_judge(model, **settings):
    random = np.random.default_rng(7)

    def documents(number):
        features = random.random((number, 6)) * (random.random((number, 6)) < 0.5)
        labels = random.random((number, model.num_labels)) < 0.4
        return scipy.sparse.csr_matrix(features), scipy.sparse.csr_matrix(labels * 1.0)

    config = Config(system="lightdxml", encoder="words", **settings)
    (features, labels), (others, relevant) = documents(12), documents(30)
    batches = SparseDocumentBatches(features, labels, 5, shuffle=True)
    validation = SparseDocumentBatches(others, relevant, 8, shuffle=False)
    return Judge(config, model, batches, validation, relevant)


def measure(judge):
    """P@1, P@3 and P@5 of what the model predicts, one document at a time."""
    batches = judge.validation_batches
    found = judge.model.predict(batches.dataset(), verbose=0)["predicted_ids"]
    hits = np.zeros((len(found), 5))
    for i, row in enumerate(batches.restore(found)):
        for place, label in enumerate(row[:5]):
            hits[i, place] = judge.relevant[i, label]
    return [hits[:, :k].mean() for k in (1, 3, 5)]


@pytest.fixture
def model():
    # All labels are candidates, so that a correction brings in no others.
    return make_with_words(
        candidates_from="classifier", num_candidates=6, num_predictions=5
    )


@pytest.mark.parametrize("share", [0.0, 0.6, None])
def test_it_is_the_figure_of_the_model_in_use(model, share):
    judge = make_judge(
        model, candidates_from="classifier", logq_correction=share, **SHARED
    )
    before = [np.array(v) for v in model.variables]
    logs = {"val_precision_at_5": 7.0, "loss": 1.5}
    judge.on_epoch_end(0, logs)
    assert set(logs) == {*KEYS, "loss"} and logs["loss"] == 1.5
    for variable, value in zip(model.variables, before):
        np.testing.assert_array_equal(variable, value)
    _, weights = judge.choose([1.0])
    assert share is None or weights.share == share
    judge.apply(weights)
    model.beta.assign(1.0)
    np.testing.assert_allclose([logs[key] for key in KEYS], measure(judge), atol=1e-6)


def test_apply_puts_the_weights_into_the_model(model):
    judge = make_judge(model, candidates_from="classifier", **SHARED)
    bias, scale = np.array(model.classifier.label_bias), float(model.lexical.scale)
    weights = judge.choose([1.0])[1]._replace(share=0.3, factor=1.4)
    judge.apply(weights)
    expected = bias + 0.3 * judge.log_q
    np.testing.assert_allclose(model.classifier.label_bias, expected, 1e-6)
    assert float(model.lexical.scale) == pytest.approx(1.4 * scale)


def test_the_start_is_the_words_of_labels_alone(model):
    judge = make_judge(model, candidates_from="classifier")
    weights = np.array(model.classifier.label_weights)
    model.classifier.label_bias.assign(np.full(model.num_labels, -2.0))
    assert judge.knows_start
    with judge.start():
        logs = judge.judge()
        model.beta.assign(1.0)
        np.testing.assert_allclose(
            [logs[key] for key in KEYS], measure(judge), atol=1e-6
        )
        for x, _ in judge.validation_batches.batches():
            found = model(x)
            words = model.lexical.words(x)
            expected = model.lexical.scale * model.lexical.cosines(
                words, found["candidates"]
            )
            np.testing.assert_allclose(found["logits"], expected - 2, 1e-4, 1e-5)
    np.testing.assert_array_equal(model.classifier.label_weights, weights)


def test_candidates_by_embeddings_are_judged_with_centroids():
    model = make_lightdxml(num_candidates=6, num_predictions=5)
    judge = make_judge(model, beta=0.6)
    logs = judge.judge()
    x, _ = next(judge.validation_batches.batches())
    features = np.concatenate(
        [
            np.array(model.encoder(x, training=False))
            for x, _ in judge.batches.in_order().batches()
        ]
    )
    labels = judge.batches.labels.toarray()[judge.batches.in_order().order]
    expected = labels.T @ features / np.maximum(labels.sum(axis=0), 1)[:, None]
    found = model.nearest.label_embeddings.numpy()
    norms = np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    np.testing.assert_allclose(found, expected / norms, 1e-4, 1e-5)
    np.testing.assert_allclose([logs[key] for key in KEYS], measure(judge), atol=1e-6)


def test_a_model_that_knows_nothing_before_training():
    model = make_lightdxml(candidates_from="classifier")
    assert not make_judge(model, candidates_from="classifier").knows_start
