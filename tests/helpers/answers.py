"""Answers of serving modules, and checks of their labels and scores."""

import functools

import numpy as np
import tensorflow as tf


@functools.lru_cache(maxsize=8)
def signatures_of(module):
    """Signatures of a module, each traced only once."""
    return module.signatures()


def ask(module, name, **inputs):
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    answer = signatures_of(module)[name](**inputs)
    return {key: value.numpy() for key, value in answer.items()}


def names_and_scores(answer):
    return [
        [(label.decode(), score) for label, score in zip(*row) if label]
        for row in zip(answer["labels"], answer["scores"])
    ]


def best_of_offered(scores, names, offers, k):
    """Rows of `(name, score)`: the best `k` of the labels that the models offer.

    Computed from scores (texts, labels) of all `names`, and the rows of each model.
    """
    rows = []
    for row, *of_models in zip(scores, *offers):
        offered = {name for offer in of_models for name, _ in offer}
        best = sorted(offered, key=lambda name: -row[names.index(name)])
        rows.append([(name, row[names.index(name)]) for name in best[:k]])
    return rows


def check_rows(rows, expected, tolerance=1e-5):
    assert len(rows) == len(expected)
    for row, want in zip(rows, expected):
        assert [label for label, _ in row] == [label for label, _ in want]
        scores = [score for _, score in want]
        np.testing.assert_allclose([s for _, s in row], scores, atol=tolerance)


def check_equal(answer, expected, tolerance=1e-5):
    check_rows(names_and_scores(answer), expected, tolerance)
