"""The ordinary model of one that was trained with a sharded label table."""

import contextlib

import tensorflow as tf

from xmc_keras.ops.distribution.sharded_table import (
    is_sharded,
    read_chunks,
    read_local,
)
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.recommending.label_changes.copy_model import copy_model


def find_whole(model):
    """A model with whole tables: itself, or `whole_model` if it has shards.

    All workers have to call it together; without shards it exchanges nothing.
    """
    return whole_model(model) if any(map(is_sharded, model.variables)) else model


def whole_model(model, everywhere=False, device=None):
    """The same model outside of its strategy, with whole tables.

    It predicts, is saved and exported like any other. All workers have to call this
    together.

    Args:
        model: a built `Recommender`, made under a `tf.distribute` strategy.
        everywhere: bool. Whether every worker gets it. Defaults to `False`: the chief
            alone, and others get None.
        device: optional string, such as `"cpu:0"` for tables that are too large for a
            GPU. Where its variables are. Defaults to the first GPU, if there is one.

    Returns:
        A model with weights of its own, not compiled; or None.

    Example:

    >>> import numpy as np
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    >>> from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
    >>> strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    >>> with strategy.scope():
    ...     model = OneVsAll(
    ...         SparseTextEncoder(num_features=50, dim=4),
    ...         OneVsAllHead(3, sharded=True))
    ...     model.build({"token_ids": (None, 2), "token_weights": (None, 2)})
    >>> x = {"token_ids": np.array([[7, 3]]), "token_weights": np.ones((1, 2))}
    >>> whole_model(model).predict(x, verbose=0)["scores"].shape
    (1, 3)
    """
    copy = None
    if everywhere or Workers(model.distribute_strategy).is_chief:
        with contextlib.nullcontext() if device is None else tf.device(device):
            copy = copy_model(model, model.get_config(), None)
        copy.label_set = model.label_set  # with titles
        copy.calibration = model.calibration
    for place, variable in enumerate(model.weights):
        if not is_sharded(variable):
            if copy is not None:
                copy.weights[place].assign(read_local(variable))
            continue
        # A part at a time: a second copy of the table may not fit in memory.
        for ids, rows in read_chunks(variable):
            if copy is not None:
                slices = tf.IndexedSlices(tf.constant(rows), tf.constant(ids))
                copy.weights[place].value.scatter_update(slices)
    return copy
