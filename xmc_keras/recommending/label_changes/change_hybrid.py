"""The members of a Hybrid with new labels, or with corrections."""

import dataclasses

import numpy as np
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents

BATCH = 16  # documents whose logits of many labels are computed at a time


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


def correct_words(hybrid, corrections):
    """The words of a `Hybrid` that make it right on documents, see `learn`.

    Args:
        hybrid: a `Hybrid`.
        corrections: `Corrections`.
    """
    # Imported here: the module of `Hybrid` imports this one.
    from xmc_keras.recommending.hybrid import find_logits

    transformer = hybrid.transformer

    def find_others(texts, label_ids):
        weights = hybrid.label_weights.numpy()[label_ids]
        features = encode_documents(
            transformer.encoder, build_inputs(transformer, texts)
        )
        found = np.empty((len(texts), len(label_ids)), np.float32)
        for start in range(0, len(texts), BATCH):
            part = tf.constant(features[start : start + BATCH])
            ids = tf.tile(tf.constant(label_ids, tf.int32)[None], [len(part), 1])
            scores = transformer.score_labels(ids, part)
            found[start : start + BATCH] = weights * find_logits(scores).numpy()
        return found

    return hybrid.words.correct_labels(
        dataclasses.replace(corrections, others=find_others)
    )
