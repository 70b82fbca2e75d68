"""Computing the features of all documents."""

import weakref

import numpy as np
import tensorflow as tf

from xmc_keras.ops.distribution.workers import Workers

# The traced graph of each encoder, because tracing a transformer takes a second.
_graphs = weakref.WeakKeyDictionary()


def encode_documents(encoder, batches, workers=None):
    """Computes the features of documents as in prediction, without dropout.

    Args:
        encoder: layer. Maps an input dictionary to features (batch, dim).
        batches: `SparseDocumentBatches` or `DocumentBatches`, without shuffling.
        workers: optional `Workers` that share the batches out; all have to call it.

    Returns:
        float32 array (documents, dim), in the order of the documents.

    Example:

    >>> from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
    >>> from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
    >>> batches = SparseDocumentBatches(np.eye(3), None, 2, shuffle=False)
    >>> encode_documents(SparseTextEncoder(3, dim=4), batches).shape
    (3, 4)
    """
    encode = _trace(encoder)
    workers = workers or Workers()
    features, start = None, 0
    for number, batch in enumerate(batches.batches()):
        x = batch[0] if isinstance(batch, tuple) else batch
        size = len(x["token_ids"])
        documents = batches.order[start : start + size]
        start += size
        # Each worker encodes the first batch, whose features have the width of all.
        if features is not None and number % workers.count != workers.index:
            continue
        x = {k: v for k, v in x.items() if k not in ("label_ids", "shortlist")}
        rows = encode({name: tf.convert_to_tensor(v) for name, v in x.items()})
        if features is None:
            features = np.zeros((len(batches.order), rows.shape[1]), np.float32)
        if number % workers.count == workers.index:
            features[documents] = rows.numpy()
    return workers.sum(features)


def _trace(encoder):
    if encoder not in _graphs:
        # A weak reference, so that the cached graph does not keep its encoder alive.
        reference = weakref.ref(encoder)
        _graphs[encoder] = tf.function(
            lambda x: tf.cast(reference()(x, training=False), tf.float32),
            reduce_retracing=True,
        )
    return _graphs[encoder]
