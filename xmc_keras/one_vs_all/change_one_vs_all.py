"""A OneVsAll with other labels: rows taken over, and rows for new labels."""

import numpy as np
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.row_prior import RowPrior
from xmc_keras.ops.elementwise import logit
from xmc_keras.recommending.label_changes.copy_model import copy_model

OLD_DOCUMENTS = 1000  # without a new label, that its row is fitted to


def select_labels(model, places, names):
    """A copy of a built `OneVsAll` with some of its labels.

    Args:
        model: a `OneVsAll`, which stays as it is.
        places: int array (labels,). Ids of the labels to keep, in the order of the new
            ones.
        names: list of strings, their names.
    """
    return _copy(model, label_rows(model)[places], names)


def extend_labels(model, examples):
    """A copy of a built `OneVsAll` with new labels, see `add_labels`.

    Args:
        model: a `OneVsAll`, which stays as it is.
        examples: `LabelExamples`.
    """
    drawn, table = examples.draw(OLD_DOCUMENTS), label_rows(model)
    hidden = project_texts(model, drawn.texts)
    rows = RowPrior(examples.known_rows(table)).fit_rows(
        hidden,
        drawn.label_matrix.toarray(),
        drawn.weights,
        logit(model.head.initial_probability),
        drawn.strength,
    )
    names = [*model.label_set.names, *examples.names]
    return _copy(model, np.concatenate([table, rows]), names)


def project_texts(model, texts):
    """What the rows of labels are multiplied with, float32 (texts, dim)."""
    features = encode_documents(model.encoder, build_inputs(model, texts))
    return tf.cast(model.head.project(tf.constant(features)), tf.float32).numpy()


def label_rows(model):
    """Rows of all labels, float32 (labels, dim)."""
    blocks = [np.asarray(block, np.float32) for block in model.head.blocks]
    return np.concatenate(blocks)


def _copy(model, rows, names):
    """A copy with the given rows (labels, dim)."""
    config = model.get_config()
    head = config["head"]["config"]
    head["num_labels"] = len(rows)
    if head["block_labels"] is not None:
        head["block_labels"] = min(head["block_labels"], len(rows))
    copy = copy_model(model, config, names)
    if model.head.bottleneck is not None:
        copy.head.bottleneck.set_weights(model.head.bottleneck.get_weights())
    copy.head.assign_rows(np.arange(len(rows)), rows)
    return copy
