"""Scores of validation documents under other weights, against plain Python."""

import numpy as np
import pytest
import scipy.sparse

from tests.helpers.tiny_lightdxml import all_scores, make_with_words, of_words
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.lightdxml.scores import predict_parts
from xmc_keras.lightdxml.validation_scores import ScoreWeights, ValidationScores

LABELS, DOCUMENTS = 30, 40
LOG_Q = -np.random.default_rng(4).uniform(0, 4, LABELS).astype("float32")


def make_parts(seed, width=12):
    random = np.random.default_rng(seed)
    rows = [random.permutation(LABELS)[:width] for _ in range(DOCUMENTS)]
    parts = {
        name: random.normal(0, 2, (DOCUMENTS, width)) for name in ("logits", "words")
    }
    parts["cosines"] = random.uniform(-1, 1, (DOCUMENTS, width))
    relevant = random.uniform(size=(DOCUMENTS, LABELS)) < 0.2
    parts = {name: part.astype("float32") for name, part in parts.items()}
    return {**parts, "candidates": np.array(rows)}, scipy.sparse.csr_matrix(
        relevant * 1
    )


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def plain(parts, relevant, weights, included):
    """P@1, P@3 and P@5 of each document, one candidate after another."""
    found = []
    for i, candidates in enumerate(parts["candidates"]):
        logits, words, cosines = (parts[n][i] for n in ("logits", "words", "cosines"))
        own = logits - words + weights.factor * words
        own = [
            x + (weights.share - included) * LOG_Q[c] for x, c in zip(own, candidates)
        ]
        first, second = sigmoid(np.array(own)), sigmoid(cosines)
        first, second = (part / np.linalg.norm(part) for part in (first, second))
        scores = weights.beta * first + (1 - weights.beta) * second
        best = [label for _, label in sorted(zip(-scores, candidates))]
        right = [relevant[i, label] for label in best]
        found.append([sum(right[:k]) / k for k in (1, 3, 5)])
    return np.array(found)


@pytest.mark.parametrize(
    "weights, included",
    [
        (ScoreWeights(), 0.0),
        (ScoreWeights(0.0, 1.0, 0.3), 0.0),
        (ScoreWeights(0.8, 1.0, 1.0), 0.5),
        (ScoreWeights(0.2, 2.0, 0.6), 0.7),
    ],
)
def test_precisions_of_each_document(weights, included):
    parts, relevant = make_parts(1)
    scores = ValidationScores(parts, relevant, LOG_Q, included)
    expected = plain(parts, relevant, weights, included)
    np.testing.assert_allclose(scores.precisions(weights), expected)


def test_no_single_change_of_the_chosen_weights_is_better():
    """But by noise, in which the value nearest to the prior is taken."""
    grids = {"share": [0, 0.5, 1], "factor": [0.5, 1, 2], "beta": [0, 0.5, 1]}
    moved = 0
    for seed in range(20):
        parts, relevant = make_parts(seed)
        # Words that are right, so that there is something to choose.
        right = relevant.toarray()[np.arange(DOCUMENTS)[:, None], parts["candidates"]]
        parts["words"] += np.float32(1.5 * right)
        scores = ValidationScores(parts, relevant, LOG_Q)
        prior = ScoreWeights(0.5, 1.0, 1.0)
        chosen = scores.choose(prior, *grids.values())
        moved += chosen[:2] != prior[:2]

        def tried(name, value):
            return plain(parts, relevant, chosen._replace(**{name: value}), 0.0)

        now = plain(parts, relevant, chosen, 0.0).mean()
        assert all(tried("beta", b).mean() <= now + 1e-9 for b in grids["beta"])
        for name in ("share", "factor"):
            found = {value: tried(name, value).mean(axis=1) for value in grids[name]}
            best = max(found.values(), key=np.mean)
            start = getattr(prior, name)
            for value in sorted(found, key=lambda value: abs(value - start)):
                loss = best - found[value]
                if loss.mean() <= 3 * loss.std(ddof=1) / len(loss) ** 0.5:
                    assert getattr(chosen, name) == value
                    break
    assert 3 <= moved


def two_labels(documents, right):
    """Label 0 before label 1, which is right in the first `right` documents."""
    zeros = np.zeros((documents, 2), "float32")
    parts = {"candidates": np.array([[0, 1]] * documents), "cosines": zeros}
    parts |= {"logits": zeros + np.float32([2, 1]), "words": zeros}
    relevant = [[i >= right, i < right] for i in range(documents)]
    relevant = scipy.sparse.csr_matrix(relevant, dtype="float32")
    return ValidationScores(parts, relevant, np.float32([-3, -1]))


@pytest.mark.parametrize("right, share", [(10, 1), (9, 1), (8, 0), (5, 0), (2, 0)])
def test_a_difference_that_may_be_noise_changes_nothing(right, share):
    """8 documents better and 2 worse: a mean of 0.6, a standard error of 0.27."""
    assert two_labels(10, right).choose(ScoreWeights(), [0, 1]).share == share


def test_a_single_document_proves_nothing():
    assert two_labels(1, 1).choose(ScoreWeights(), [0, 1]) == ScoreWeights()


def test_the_nearest_of_values_that_are_as_good():
    scores = two_labels(10, 10)  # from a share of 0.5 on
    assert scores.choose(ScoreWeights(), [0.2, 0.6, 0.8, 1]).share == 0.6
    assert scores.choose(ScoreWeights(1.0), [0.2, 0.6, 0.8, 1]).share == 1


def test_the_parts_are_those_of_the_model():
    model = make_with_words()
    random = np.random.default_rng(0)
    features = scipy.sparse.random(
        7, model.lexical.num_features, 0.5, "csr", rng=random
    )
    batches = SparseDocumentBatches(features, None, 3, shuffle=False)
    parts = predict_parts(model, batches)
    rows = features.toarray()[batches.order]
    _, words = of_words(model, rows)
    x = next(SparseDocumentBatches(features, None, 7, shuffle=False).batches())
    encoded = np.array(model.encoder(x))
    scores, candidate = all_scores(model, encoded, (words, words))
    for i, labels in enumerate(parts["candidates"]):
        assert set(labels) == set(np.flatnonzero(candidate[i]))
        np.testing.assert_allclose(parts["words"][i], words[i][labels], 1e-4, 1e-5)
        beta = float(model.beta.numpy())
        first, second = sigmoid(parts["logits"][i]), sigmoid(parts["cosines"][i])
        second *= np.linalg.norm(first) / np.linalg.norm(second)
        found = np.minimum(beta * first + (1 - beta) * second, 1)
        np.testing.assert_allclose(found, scores[i][labels], 1e-4, 1e-5)
