"""Initializing the heads of LightXML with the centroids of labels and clusters."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.ops.distribution.sharded_table import assign_rows
from xmc_keras.ops.distribution.workers import Workers

# The largest change of a document's logit, for a document as far from the mean of all
# documents as documents are on average.
SCALE = 4.0
LEAST = 0.05  # smallest distance from the mean, as a share of the size of features
BLOCK = 2**16  # rows written at a time


def start_from_centroids(model, batches, generator=True, scale=SCALE):
    """Initializes the heads of a `LightXML` with the centroids of labels and clusters.

    A pretrained encoder separates documents before the first step, but randomly
    initialized heads cannot use that: they learn it label by label, and most labels
    have few documents. Here the row of a label in the ranker's table becomes the mean
    of the bottleneck features of its documents, and the column of a cluster in the
    generator the mean of the features of its documents. Both have the mean of all
    documents subtracted and the same length: `scale` divided by the root mean square
    distance from that mean. Rows are orthogonal to the mean of all documents, whose
    logits therefore stay at `initial_probability`. Labels and clusters without
    documents keep their rows. Clusters that a level of a cascade ranks are treated as
    labels are.

    Args:
        model: a built `LightXML`. Its encoder runs as in prediction.
        batches: iterable of `(x, y)` with each training document once, see
            `DocumentBatches.batches`; each of several workers gets a part of them. It
            is read once; meanwhile a row of float32 numbers is held for each label and
            cluster.
        generator: bool. `False` leaves a trained generator as it is. Defaults to
            `True`.
        scale: float. See above. Defaults to `4.0`.

    Example:

    >>> import keras_nlp
    >>> from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    >>> from xmc_keras.lightxml.lightxml import LightXML
    >>> from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8, max_sequence_length=16)
    >>> model = LightXML(
    ...     MultiLayerCLSEncoder(backbone, num_feature_layers=1),
    ...     ClusterGenerator([[0], [1]], top_k=2), num_predictions=2)
    >>> ids = np.array([[2, 7, 9, 3], [2, 8, 4, 3]], "int32")
    >>> x, y = {"token_ids": ids, "padding_mask": ids > 0}, np.array([[0], [1]])
    >>> before = model(x)
    >>> start_from_centroids(model, [(x, y)])
    >>> model(x)["predicted_ids"][:, 0].numpy().tolist()
    [0, 1]

    Reference: label centroids are defined as in
        [LightDXML](https://arxiv.org/abs/2304.11045), section "Proxy training of label
        embeddings". The LightXML paper has no such initialization.
    """
    # What each ranks, and which part of the features it reads: clusters, or labels.
    rankers = [level.ranker for level in model.levels]
    if model.ranker is not None:
        rankers.append(model.ranker)

    @tf.function(reduce_retracing=True, autograph=False)
    def head_features(x):
        """Features of the generator, and bottleneck features of the rankers."""
        first, *rest = model.split_features(model.encoder(x, training=False))
        parts = [first, *(r.bottleneck(part) for r, part in zip(rankers, rest))]
        return [tf.cast(part, tf.float32) for part in parts]

    heads = [Centroids(model.generator.num_clusters) if generator else None]
    heads += [Centroids(ranker.num_labels) for ranker in rankers]
    for x, label_ids in batches:
        known = model.labels_by_level(tf.cast(label_ids, tf.int32))
        # -1 stays -1. The table of the last ranker is in the order of its clusters.
        places = [model.generator.clusters_of(known[0]), *known[:-1]]
        places.append(model.label_clusters.rows_of(known[-1]))
        for head, features, rows in zip(heads, head_features(x), places):
            if head is not None:
                head.add(features.numpy(), rows.numpy())
    for head in heads:
        if head is not None:
            head.merge(Workers.of(model))
    if generator:
        kernel = model.generator.kernel
        columns = kernel.numpy()  # (dim, clusters)
        for known, rows in heads[0].rows(scale):
            columns[:, known] = rows.T
        kernel.assign(columns)
    for ranker, head in zip(rankers, heads[1:]):
        table = ranker.label_embeddings
        for known, rows in head.rows(scale):
            assign_rows(table, known, rows)


class Centroids:
    """Sums the features of each row's documents, and computes the rows from them."""

    def __init__(self, num_rows):
        self.counts = np.zeros(num_rows, np.int64)
        self.sums = None
        self.squares = 0.0
        self.num_documents = 0

    def add(self, features, rows):
        """Adds the features (batch, dim) of documents to their rows (batch, n).

        Rows are padded with `-1`.
        """
        if self.sums is None:
            self.sums = np.zeros((len(self.counts), features.shape[1]), np.float32)
            self.total = np.zeros(features.shape[1])
        documents = np.repeat(np.arange(len(rows)), rows.shape[1])[rows.ravel() >= 0]
        known, places = np.unique(rows[rows >= 0], return_inverse=True)
        shape = len(known), len(rows)
        own = scipy.sparse.csr_matrix(
            (np.ones(len(places), np.float32), (places, documents)), shape
        )
        own.data[:] = 1  # count a document with two labels of a cluster once
        self.sums[known] += own @ features
        self.counts[known] += np.diff(own.indptr)
        self.total += features.sum(axis=0, dtype=np.float64)
        self.squares += float(np.square(features, dtype=np.float64).sum())
        self.num_documents += len(features)

    def merge(self, workers):
        """Adds up what `Workers` have summed, each of its own documents."""
        if workers.count == 1:
            return
        width = max(workers.collect(0 if self.sums is None else self.sums.shape[1]))
        if self.sums is None:
            self.sums = np.zeros((len(self.counts), width), np.float32)
            self.total = np.zeros(width)
        self.sums, self.counts = workers.sum(self.sums), workers.sum(self.counts)
        rest = [*self.total, self.squares, self.num_documents]
        *total, self.squares, self.num_documents = workers.sum(np.array(rest))
        self.total = np.array(total)

    def rows(self, scale):
        """Yields blocks of ids and new rows, where a centroid differs from the mean."""
        if self.sums is None:
            return
        mean = self.total / self.num_documents
        size = np.sqrt(self.squares / self.num_documents)
        distance = np.sqrt(max(size**2 - mean @ mean, 0))
        # Without a minimum, an encoder that hardly separates documents would get huge
        # rows.
        distance = max(distance, LEAST * size)
        direction = (mean / max(np.linalg.norm(mean), 1e-12)).astype(np.float32)
        known = np.flatnonzero(self.counts)
        for start in range(0, len(known), BLOCK):
            ids = known[start : start + BLOCK]
            centred = self.sums[ids] / self.counts[ids, None] - mean.astype(np.float32)
            centred -= np.outer(centred @ direction, direction)
            lengths = np.linalg.norm(centred, axis=1)
            # A row that equals the mean leaves only rounding errors.
            off = lengths > 1e-6 * size
            lengths = lengths[off, None] * np.float32(distance)
            yield ids[off], centred[off] * np.float32(scale) / lengths
