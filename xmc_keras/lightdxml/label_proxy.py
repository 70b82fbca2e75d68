"""The map from label centroids to label embeddings (the proxy), and its training."""

import logging

import keras
import numpy as np
import scipy.sparse
import tensorflow as tf
from keras import ops

from xmc_keras.labels.label_centroids import compute_centroids

logger = logging.getLogger(__name__)

BLOCK = 2**14  # labels embedded at a time
_ROWS = tf.TensorSpec([None, None])
_INTS = tf.TensorSpec([None], tf.int32)
_FLOATS = tf.TensorSpec([None], tf.float32)


@keras.saving.register_keras_serializable(package="xmc_keras")
class LabelProxy(keras.layers.Layer):
    """Affine map `f(c) = A2 (A1 c + b1) + b2` from centroids to label embeddings.

    Takes centroids (labels, dim), the mean features of each label's documents, and
    returns label embeddings of the same shape. There is no activation between the two
    layers: the factors change how the map is learnt, not which maps it can be. It
    starts as the identity if `hidden_dim` is at least dim (the paper starts at random),
    so that training only has to improve on the centroids. `train_label_proxy` trains
    it.

    Args:
        hidden_dim: int. Width between the two layers. Defaults to `1000`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> LabelProxy(hidden_dim=8)(np.ones((5, 3), "float32")).shape
    TensorShape([5, 3])

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Proxy training of
        label embeddings".
    """

    def __init__(self, hidden_dim=1000, **kwargs):
        super().__init__(**kwargs)
        if hidden_dim < 1:
            raise ValueError(
                "Expected `hidden_dim` to be positive. "
                f"Received: hidden_dim={hidden_dim}"
            )
        self.hidden_dim = hidden_dim
        self.inner = keras.layers.Dense(
            hidden_dim,
            kernel_initializer="orthogonal",
            dtype=self.dtype_policy,
            name="inner",
        )

    def build(self, centroids_shape):
        self.inner.build(centroids_shape)
        self.outer = keras.layers.Dense(
            centroids_shape[-1], dtype=self.dtype_policy, name="outer"
        )
        self.outer.build((*centroids_shape[:-1], self.hidden_dim))
        # The rows of an orthogonal kernel are orthonormal: its transpose inverts it.
        self.outer.kernel.assign(ops.transpose(self.inner.kernel))
        self.built = True

    def call(self, centroids):
        return self.outer(self.inner(centroids))

    def compute_output_shape(self, centroids_shape):
        return centroids_shape

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}


def train_label_proxy(
    proxy,
    features,
    label_matrix,
    epochs=8,
    learning_rate=3e-3,
    batch_size=256,
    max_documents=64,
    seed=0,
):
    """Trains the proxy so that a label's `f(centroid)` is near its documents.

    Minimises the mean of `log(1 + |f(c_l) - x_i|^2)` over all pairs of a label `l` and
    one of its documents `i`, with a new Adam optimizer. A batch consists of labels: `f`
    is computed once per label, and the documents of these labels are gathered. So the
    pairs, of which Amazon-670K has millions with `dim` numbers each, are never all in
    memory. For a label with more than `max_documents` documents, each epoch draws a new
    sample of them, which has the weight of all.

    Args:
        proxy: `LabelProxy`, or another layer from (labels, dim) to (labels, dim).
        features: float32 array (documents, dim). Outputs of the encoder in prediction.
            They get no gradient.
        label_matrix: sparse matrix (documents, labels).
        epochs: int. Passes over the labels. Defaults to `8`.
        learning_rate: float. Defaults to `0.003`.
        batch_size: int. Labels per step. Defaults to `256`.
        max_documents: int. Documents per label in an epoch. Defaults to `64`.
        seed: int. Seed of the order of labels and the samples. Defaults to `0`.

    Returns:
        float32 array (labels, dim), the label embeddings, not scaled. A label without
        documents has the embedding of a zero centroid.

    Example:

    >>> features = np.eye(2, dtype="float32")
    >>> train_label_proxy(LabelProxy(8), features, features, epochs=1).shape
    (2, 2)

    Reference:
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Proxy training of
        label embeddings".
    """
    centroids = compute_centroids(features, label_matrix)
    labels = scipy.sparse.csc_matrix(label_matrix)
    counts = np.diff(labels.indptr)
    known = np.flatnonzero(counts)
    if not proxy.built:
        proxy.build((None, centroids.shape[1]))
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(proxy.trainable_variables)
    num_steps = -(-len(known) // batch_size)
    scale = np.float32(num_steps / max(labels.nnz, 1))

    # Features are an argument, so that they are freed after this call.
    @tf.function(input_signature=[_ROWS, _ROWS, _INTS, _INTS, _FLOATS])
    def step(features, centroids, documents, places, weights):
        x = tf.gather(features, documents)  # (pairs, dim)
        with tf.GradientTape() as tape:
            loss = compute_pair_loss(proxy(centroids), x, places, weights)
        variables = proxy.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    features = tf.convert_to_tensor(features)
    random = np.random.default_rng(seed)
    for epoch in range(epochs):
        total = 0.0
        order = random.permutation(known)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            pairs = draw_pairs(labels, batch, max_documents, random)
            documents, places, weights = pairs
            total += step(
                features, centroids[batch], documents, places, weights * scale
            )
        loss = float(total) / max(num_steps, 1)
        logger.info("Proxy epoch %d of %d: loss %.4f", epoch + 1, epochs, loss)
    blocks = range(0, len(centroids), BLOCK)
    for start in blocks:  # overwrites the centroids
        part = centroids[start : start + BLOCK]
        part[:] = proxy(part)
    return centroids


def compute_pair_loss(embeddings, features, places, weights):
    """Weighted sum of `log(1 + |f_p - x|^2)` over pairs of a label and a document.

    Args:
        embeddings: float32 tensor (labels, dim).
        features: float32 tensor (pairs, dim).
        places: int32 tensor (pairs,). Row of `embeddings` of each pair.
        weights: float32 tensor (pairs,).

    Example:

    >>> loss = compute_pair_loss(tf.eye(2), tf.zeros((1, 2)), [1], [0.5])
    >>> round(float(loss), 4)
    0.3466
    """
    difference = tf.gather(embeddings, places) - features
    squares = tf.reduce_sum(tf.square(difference), axis=1)
    return tf.reduce_sum(weights * tf.math.log1p(squares))


def draw_pairs(labels, batch, most, random):
    """Draws at most `most` documents of each label, as three flat arrays of pairs.

    Args:
        labels: csc matrix (documents, labels).
        batch: int array. Label ids.
        most: int. Maximum number of documents per label.
        random: `np.random.Generator`.

    Returns:
        `documents` int32, `places` int32 (index of the label in `batch`), `weights`
        float32 (number of documents of the label divided by the number drawn).
    """
    counts = np.diff(labels.indptr)[batch]
    sizes = np.minimum(counts, most)
    places = np.repeat(np.arange(len(batch), dtype=np.int32), sizes)
    within = np.arange(len(places)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    # Every `counts / sizes`-th document from a random one on: distinct, equally likely,
    # and without permuting thousands.
    offset = np.repeat(random.random(len(batch)), sizes)
    stride = np.repeat(counts / np.maximum(sizes, 1), sizes)
    within = np.floor((within + offset) * stride).astype(np.int64)
    documents = labels.indices[np.repeat(labels.indptr[batch], sizes) + within]
    weights = stride.astype(np.float32)
    return documents.astype(np.int32), places, weights
