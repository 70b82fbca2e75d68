import numpy as np
import pytest
import scipy.sparse

from tests.helpers.lightdxml_case import INPUTS, LABELS, NUM_LABELS, make_model
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.lightdxml.scores import choose_beta, fuse_scores

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(0, 3, (4, 6)).astype("float32")
COSINES = RNG.uniform(-1, 1, (4, 6)).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("float64")))


def published(beta):
    """As in the paper, one document at a time."""
    rows = []
    for logits, cosines in zip(LOGITS, COSINES):
        a, b = sigmoid(logits), sigmoid(cosines)
        rows.append(beta * a / np.linalg.norm(a) + (1 - beta) * b / np.linalg.norm(b))
    return np.array(rows)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.75, 1.0])
def test_is_the_published_score_times_a_number_a_document(beta):
    length = np.linalg.norm(sigmoid(LOGITS), axis=1, keepdims=True)
    expected = published(beta) * length
    expected /= np.maximum(expected.max(axis=1, keepdims=True), 1)
    found = np.asarray(fuse_scores(LOGITS, COSINES, beta))
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)
    order = np.argsort(-published(beta), axis=1)
    np.testing.assert_array_equal(np.argsort(-found, axis=1), order)


def test_the_classifier_alone_gives_its_probabilities():
    found = fuse_scores(LOGITS, COSINES, 1.0)
    np.testing.assert_allclose(found, sigmoid(LOGITS), 1e-5, 1e-6)


def test_pads_score_nothing_and_change_nothing():
    pads = np.pad(LOGITS, [(0, 0), (0, 2)], constant_values=9)
    cosines = np.pad(COSINES, [(0, 0), (0, 2)], constant_values=1)
    real = np.arange(8)[None] < 6
    found = np.asarray(fuse_scores(pads, cosines, 0.4, np.repeat(real, 4, axis=0)))
    np.testing.assert_allclose(found[:, :6], fuse_scores(LOGITS, COSINES, 0.4), 1e-5)
    assert not found[:, 6:].any()


def test_the_best_beta_is_found_and_set():
    model = make_model(candidates_from="classifier", num_candidates=12)
    real = INPUTS["token_ids"] >= 0
    features = scipy.sparse.lil_matrix((10, 20))
    relevant = scipy.sparse.lil_matrix((10, NUM_LABELS))
    for i in range(10):
        features[i, INPUTS["token_ids"][i][real[i]]] = INPUTS["token_weights"][i][
            real[i]
        ]
        relevant[i, LABELS[i][LABELS[i] >= 0]] = 1
    batches = SparseDocumentBatches(features.tocsr(), None, 4, shuffle=False)
    report = choose_beta(model, batches, relevant.tocsr(), (0.0, 0.25, 0.5, 1.0))
    sums = []
    for beta, found in report.items():
        model.beta.assign(beta)
        top = model.predict(INPUTS, verbose=0)["predicted_ids"]
        hits = np.array([np.isin(row, LABELS[i]) for i, row in enumerate(top)])
        expected = {f"P@{k}": 100 * hits[:, :k].mean() for k in (1, 3, 5)}
        np.testing.assert_allclose(list(found.values()), list(expected.values()))
        sums.append(sum(expected.values()))
    best = choose_beta(model, batches, relevant.tocsr(), tuple(report)) and model.beta
    largest = [beta for beta, s in zip(report, sums) if s == max(sums)]
    np.testing.assert_allclose(float(best), largest[-1])
