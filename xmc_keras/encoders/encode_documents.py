"""Computing the features of all documents."""

import weakref

import numpy as np
import tensorflow as tf

# The traced graph of each encoder, because tracing a transformer takes a second.
_graphs = weakref.WeakKeyDictionary()


def encode_documents(encoder, batches):
    """Computes the features of documents as in prediction, without dropout.

    Args:
        encoder: layer. Maps an input dictionary to features (batch, dim).
        batches: `SparseDocumentBatches` or `DocumentBatches`, without shuffling.

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
    features, start = None, 0
    for batch in batches.batches():
        x = batch[0] if isinstance(batch, tuple) else batch
        x = {k: v for k, v in x.items() if k not in ("label_ids", "shortlist")}
        rows = encode({name: tf.convert_to_tensor(v) for name, v in x.items()})
        if features is None:
            features = np.empty((len(batches.order), rows.shape[1]), np.float32)
        features[batches.order[start : start + len(rows)]] = rows.numpy()
        start += len(rows)
    return features


def _trace(encoder):
    if encoder not in _graphs:
        # A weak reference, so that the cached graph does not keep its encoder alive.
        reference = weakref.ref(encoder)
        _graphs[encoder] = tf.function(
            lambda x: tf.cast(reference()(x, training=False), tf.float32),
            reduce_retracing=True,
        )
    return _graphs[encoder]
