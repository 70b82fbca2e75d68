"""The members of a Hybrid with new labels."""

import dataclasses

import numpy as np


def extend_members(hybrid, examples):
    """Extends both members of a `Hybrid`.

    The weight of a new label is that of a known one of as many documents.

    Args:
        hybrid: a `Hybrid`, which stays as it is.
        examples: `LabelExamples`. Its `found` may have the metrics of both members,
            with those of the words as `words`.

    Returns:
        `(transformer, words, label_weights)`: models, and a float32 array (labels,).
    """
    transformer = hybrid.transformer.extend_labels(examples)
    of_words = examples.found.get("words", {})
    words = hybrid.words.extend_labels(
        dataclasses.replace(examples, found=of_words, with_transformer=True)
    )
    before = hybrid.label_weights.numpy()
    if examples.counts is None:
        own = np.full(len(examples.names), np.median(before), np.float32)
    else:
        counts = np.asarray(examples.label_matrix.sum(axis=0)).ravel()
        distance = np.abs(np.subtract.outer(counts, examples.counts))
        own = before[distance.argmin(axis=1)]
    return transformer, words, np.concatenate([before, own])
