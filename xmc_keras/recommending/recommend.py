"""Recommending labels for raw texts."""

import operator
import weakref

import numpy as np
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.recommending.thresholds.choose_thresholds import choose_thresholds
from xmc_keras.recommending.thresholds.find_accepted import find_accepted
from xmc_keras.text.list_texts import list_texts

# What models read of a batch.
READ = ("token_ids", "padding_mask", "word_ids", "word_weights")
# The calibration and traced graph of each model, because tracing takes seconds.
_graphs = weakref.WeakKeyDictionary()


def recommend(model, texts, k=None, batch_size=64, threshold=None):
    """Recommends labels for raw texts; the models' method `recommend` calls it.

    Texts are sorted by length, so that batches contain little padding. A model with a
    tokenizer is traced once, for all shapes.

    Args:
        model: a `LightXML` or `LightDXML` with label names, and with a tokenizer or a
            vectorizer.
        texts: sequence of strings: a list, a NumPy array, a pandas Series, a generator.
        k: optional int. Labels per text, at most the model's `num_predictions`.
            Defaults to `5`, or with a `threshold` to as many as reach it.
        batch_size: int. Texts per batch. Defaults to `64`.
        threshold: optional. The least score of a label: a float, or a string such as
            `"f1"` or `"precision=0.9"` that it is chosen for, see `Target`.

    Returns:
        For each text a list of `(name, score)`, best first. It is shorter than `k` if
        the model has fewer candidates, or fewer reach the threshold; it may be empty.
        Scores are in [0, 1].

    Raises:
        ValueError: the model has no label names or cannot read texts, `texts` are not
            strings, or `k` or `batch_size` is not an integer within its range.
        BadInput: the threshold is not valid, or cannot be chosen.
    """
    check_reads_texts(model, "to recommend labels for raw texts")
    texts = list_texts(texts)
    if k is None:
        k = (
            min(5, model.num_predictions)
            if threshold is None
            else model.num_predictions
        )
    k = check_integer("k", k, "labels per text", model.num_predictions)
    batch_size = check_integer("batch_size", batch_size, "texts per batch")
    if not texts:
        return []
    predicted_ids, scores = rank_labels(model, texts, batch_size)
    kept = predicted_ids >= 0
    kept[:, k:] = False
    if threshold is not None:
        kept &= find_accepted(
            predicted_ids, scores, choose_thresholds(model, threshold)
        )
    names = model.label_set.names
    return [
        [(names[i], float(s)) for i, s in zip(row[some], row_scores[some])]
        for row, row_scores, some in zip(predicted_ids, scores, kept)
    ]


def rank_labels(model, texts, batch_size=64):
    """Ranks the labels of texts, or of rows of features.

    Args:
        model: a `LightXML` or `LightDXML`.
        texts: list of strings, or csr matrix (documents, features); not empty.
        batch_size: int. Documents per batch. Defaults to `64`.

    Returns:
        `(predicted_ids, scores)`: int32 and float32 arrays (documents,
        num_predictions), best first; `-1` pads.
    """
    batches = build_inputs(model, texts, batch_size=batch_size)
    if getattr(model, "tokenizer", None) is None:
        outputs = model.predict(batches.dataset(), verbose=0)
        predicted_ids, scores = outputs["predicted_ids"], outputs["scores"]
    else:
        outputs = [
            [
                part.numpy()
                for part in _trace(model, x)({k: x[k] for k in READ if k in x})
            ]
            for x in batches.batches()
        ]
        predicted_ids, scores = map(np.concatenate, zip(*outputs))
    return batches.restore(predicted_ids), batches.restore(scores)


def check_reads_texts(model, purpose):
    """Raises `ValueError` if a model cannot read raw texts, or name labels."""
    reads = getattr(model, "vectorizer", None), getattr(model, "tokenizer", None)
    if getattr(model, "label_set", None) is None or reads == (None, None):
        raise ValueError(
            "Expected a model with `label_names`, and with a `tokenizer` or a "
            f"`vectorizer`, {purpose}. Received: a model without them. Pass them to "
            f"`{type(model).__name__}`, or use `predict` on its inputs."
        )


def check_integer(name, value, meaning, most=None):
    """The value of an argument as an int, if it is one from 1 to `most`."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is not None and 1 <= number <= (most or number):
        return number
    remedy = ""
    if number is not None and most is not None and number > most:
        remedy = (
            f". The model ranks num_predictions={most} labels: choose fewer, or make "
            "the model with more."
        )
    limit = "of at least 1" if most is None else f"from 1 to {most}"
    raise ValueError(
        f"Expected `{name}`, the {meaning}, to be an integer {limit}. "
        f"Received: {name}={value!r}{remedy}"
    )


def _trace(model, x):
    """The graph of what `model.predict` computes, without its input pipeline.

    Starting the pipeline takes longer than answering a text.
    """
    calibration = model.calibration
    if model not in _graphs or _graphs[model][0] is not calibration:
        if not model.built:
            model(x, training=False)
        # A weak reference, so that the cached graph does not keep its model alive.
        reference = weakref.ref(model)

        shapes = {k: tf.TensorSpec([None, None], x[k].dtype) for k in READ if k in x}

        @tf.function(input_signature=[shapes], autograph=False)
        def graph(x):
            model = reference()
            outputs = model.rank(*model.encode(x))
            return outputs["predicted_ids"], outputs["scores"]

        _graphs[model] = calibration, graph
    return _graphs[model][1]
