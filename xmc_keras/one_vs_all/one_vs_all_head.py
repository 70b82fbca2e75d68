"""A classifier that scores all labels, and trains them block by block."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from xmc_keras.ops.distribution.replica_documents import ReplicaDocuments
from xmc_keras.ops.distribution.replicas import count_replicas, replica_index
from xmc_keras.ops.distribution.row_shards import RowShards
from xmc_keras.ops.distribution.sharded_products import merge_best
from xmc_keras.ops.distribution.sharded_table import (
    add_sharded_table,
    assign_rows,
    check_whole,
    deal_rows,
    is_sharded,
    row_shards,
)
from xmc_keras.ops.elementwise import check_initial_probability, logit
from xmc_keras.ops.tables import find_top_rows

GRADIENT_BYTES = 2**26  # of a block's float32 gradient
STDDEV = 0.02  # of the rows of a new table
MASKED = -1e9  # a logit without loss and gradient


@keras.saving.register_keras_serializable(package="xmc_keras")
class OneVsAllHead(keras.layers.Layer):
    """Scores all labels of a text by their rows of a table, with a fused gradient.

    Takes features (batch, dim) and returns logits (batch, num_labels) float32: the
    inner products with the rows of the label table, plus a constant. It can be used and
    trained like any layer. For many labels `backpropagate` computes the gradient of the
    binary cross-entropy without them: block by block of labels, so that neither logits
    nor a gradient of all labels are ever in memory. `OneVsAll` trains this way.

    The table is a list of blocks, variables of at most `block_labels` rows.

    Args:
        num_labels: int.
        block_labels: optional int, from 1 to `num_labels`. Labels of a block. By
            default a block's float32 gradient has at most 64 MiB.
        bottleneck_dim: optional int. Width of a label's row; features are projected to
            it, without a bias. Defaults to `None`: rows are as wide as features, as
            published.
        initial_probability: float. Score of every label before training, set by the
            constant. Defaults to `0.5`, no constant, as published.
        table_dtype: `"float32"`, or `"bfloat16"` for a table of half the size, which
            `RowwiseAdamW` rounds stochastically. Defaults to `"float32"`.
        sharded: bool. Deals the labels of each block out in turns over the replicas of
            the `tf.distribute` strategy that the layer is built under, see `RowShards`.
            `backpropagate` and `best` then work within a step of the strategy alone,
            logits of all labels are not there, and `get_config` is that of a layer
            with a whole table. Defaults to `False`.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> head = OneVsAllHead(num_labels=5, block_labels=2)
    >>> head(np.ones((3, 8), "float32")).shape
    TensorShape([3, 5])
    >>> [tuple(block.shape) for block in head.blocks]
    [(2, 8), (2, 8), (1, 8)]

    Reference: Renee (MLSys 2023, https://github.com/microsoft/renee) and ELMO (ICML
        2025, https://github.com/xmc-aalto/elmo).
    """

    def __init__(
        self,
        num_labels,
        block_labels=None,
        bottleneck_dim=None,
        initial_probability=0.5,
        table_dtype="float32",
        sharded=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_labels < 1 or (bottleneck_dim is not None and bottleneck_dim < 1):
            raise ValueError(
                "Expected `num_labels` and `bottleneck_dim` to be positive. Received: "
                f"num_labels={num_labels}, bottleneck_dim={bottleneck_dim}"
            )
        if block_labels is not None and not 1 <= block_labels <= num_labels:
            raise ValueError(
                f"Expected `block_labels` from 1 to num_labels={num_labels}. Received: "
                f"block_labels={block_labels}"
            )
        if table_dtype not in ("float32", "bfloat16"):
            raise ValueError(
                'Expected `table_dtype` to be "float32" or "bfloat16". '
                f"Received: table_dtype={table_dtype}"
            )
        check_initial_probability(initial_probability)
        self.num_labels = num_labels
        self.block_labels = block_labels
        self.bottleneck_dim = bottleneck_dim
        self.initial_probability = initial_probability
        self.table_dtype = table_dtype
        self.sharded = sharded
        if sharded:
            deal_rows(num_labels)  # raises if there are too few
        self.bottleneck = None
        if bottleneck_dim is not None:
            self.bottleneck = keras.layers.Dense(
                bottleneck_dim,
                use_bias=False,
                dtype=self.dtype_policy,
                name="bottleneck",
            )

    def build(self, features_shape):
        dim = features_shape[-1]
        if self.bottleneck is not None:
            self.bottleneck.build(features_shape)
            dim = self.bottleneck_dim
        size = self.block_labels or max(1, GRADIENT_BYTES // (4 * dim))
        self.block_sizes = [
            min(size, self.num_labels - start)
            for start in range(0, self.num_labels, size)
        ]
        self.blocks = [
            self._add_block(labels, dim, f"label_block_{i}")
            for i, labels in enumerate(self.block_sizes)
        ]
        self.built = True

    def _add_block(self, labels, dim, name):
        if self.sharded and count_replicas() > 1:
            shards = RowShards(labels, count_replicas())
            return add_sharded_table(
                self, shards, dim, _draw_normal, name, self.table_dtype
            )
        return self.add_weight(
            shape=(labels, dim),
            initializer=keras.initializers.RandomNormal(stddev=STDDEV),
            dtype=self.table_dtype,
            autocast=False,
            name=name,
        )

    @property
    def is_sharded(self):
        """Whether each replica holds other labels of each block."""
        return self.built and is_sharded(self.blocks[0])

    @property
    def replicas(self):
        """How many replicas the labels are dealt out over."""
        return row_shards(self.blocks[0]).replicas

    def project(self, features):
        """Features (batch, dim) as wide as the rows of the table."""
        features = ops.cast(features, self.compute_dtype)
        return features if self.bottleneck is None else self.bottleneck(features)

    def call(self, features):
        check_whole(self.blocks)
        hidden = self.project(features)
        return ops.concatenate(
            [self._products(hidden, block) for block in self.blocks], axis=1
        )

    def _products(self, hidden, block):
        rows = ops.cast(block.value, self.compute_dtype)
        logits = ops.cast(tf.matmul(hidden, rows, transpose_b=True), "float32")
        return logits + logit(self.initial_probability)

    def best(self, hidden, k):
        """Ids int32 and logits float32 (batch, k) of the `k` highest logits, in order.

        For `hidden` (batch, dim) see `project`.
        """
        if self.is_sharded:
            ids, products = self._best_of_shards(hidden, k)
        else:
            ids, products = find_top_rows(hidden, [b.value for b in self.blocks], k)
        return ids, products + logit(self.initial_probability)

    def _best_of_shards(self, hidden, k):
        """What `find_top_rows` returns, for own documents."""
        documents = ReplicaDocuments(self.replicas, tf.shape(hidden)[0])
        pads = [_find_pads(block) for block in self.blocks]
        starts = np.cumsum([0] + [block.shape[0] for block in self.blocks[:-1]])
        at = dict(zip(starts.tolist(), pads))
        places, products = find_top_rows(
            documents.gather(hidden),
            [block.value for block in self.blocks],
            k,
            more=lambda start, _: tf.where(at[start], -np.inf, 0.0)[None],
        )
        # All blocks but the last have the same number of labels.
        size, most = self.block_sizes[0], self.blocks[0].shape[0]
        within = places % most * self.replicas + replica_index()
        return merge_best(documents, places // most * size + within, products, k)

    def logits(self, hidden, label_ids):
        """Logits (batch, n) float32 of label ids (batch, n) without padding."""
        check_whole(self.blocks)
        label_ids = ops.cast(label_ids, "int32")
        start, products = 0, 0.0
        for block in self.blocks:
            size = block.shape[0]
            places = label_ids - start
            rows = tf.gather(block.value, ops.clip(places, 0, size - 1))
            rows = ops.cast(rows, self.compute_dtype)  # (batch, n, dim)
            own = ops.cast(ops.matmul(rows, hidden[:, :, None])[:, :, 0], "float32")
            products += ops.where((places >= 0) & (places < size), own, 0.0)
            start += size
        return products + logit(self.initial_probability)

    def assign_rows(self, label_ids, rows):
        """Replaces the rows (n, dim) of labels, an increasing int array (n,)."""
        start = 0
        for block, size in zip(self.blocks, self.block_sizes):
            first, last = np.searchsorted(label_ids, [start, start + size])
            if last > first:
                assign_rows(block, label_ids[first:last] - start, rows[first:last])
            start += size

    def backpropagate(self, hidden, label_ids, update=None, sample_weight=None):
        """Losses of documents, and the gradient of their sum, block by block of labels.

        The loss of a document is the sum over all labels of the binary cross-entropy.
        While a block's gradient is there, `update` may change the block: the gradients
        are those of the table before.

        With a sharded table, each replica computes the gradient of its labels for the
        documents of all replicas, and their losses and gradients are summed.

        Args:
            hidden: tensor (batch, dim), see `project`.
            label_ids: int tensor (batch, positives). The true labels, each once, padded
                with `-1`. Ids after the last label are left out.
            update: optional function of a block, a `keras.Variable`, and its gradient,
                a float32 tensor of the same shape.
            sample_weight: optional float tensor (batch,).

        Returns:
            `(losses, gradient)`: float32 (batch,), and the gradient of the weighted sum
            of the losses by `hidden`, float32 (batch, dim).
        """
        hidden = ops.cast(hidden, self.compute_dtype)
        label_ids = ops.cast(label_ids, "int32")
        if not self.is_sharded:
            return self._backpropagate(hidden, label_ids, update, sample_weight)
        documents, found = self._in_shards(hidden, label_ids, update, sample_weight)
        return tuple(documents.sum(part) for part in found)

    def losses(self, hidden, label_ids):
        """The losses of documents alone, float32 (batch,), see `backpropagate`."""
        if not self.is_sharded:
            return self.backpropagate(hidden, label_ids)[0]
        hidden = ops.cast(hidden, self.compute_dtype)
        documents, (losses, _) = self._in_shards(hidden, label_ids, None, None)
        return documents.sum(losses)

    def _in_shards(self, hidden, label_ids, update, sample_weight):
        """The documents of all replicas, and what own labels add to their results."""
        shape = tf.shape(label_ids)
        documents = ReplicaDocuments(self.replicas, shape[0], shape[1])
        if sample_weight is not None:
            weight = ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
            sample_weight = documents.gather(weight)
        everyone = documents.gather(hidden)
        found = self._backpropagate(
            everyone, documents.gather_ids(label_ids), update, sample_weight
        )
        return documents, found

    def _backpropagate(self, hidden, label_ids, update, sample_weight):
        constant = logit(self.initial_probability)
        losses = tf.zeros(tf.shape(hidden)[:1])
        gradient = tf.zeros(tf.shape(hidden))
        start, done = 0, []
        for block, size in zip(self.blocks, self.block_sizes):
            # One block at a time: TensorFlow would compute all of them at once.
            with tf.control_dependencies(done):
                rows = ops.cast(block.value, self.compute_dtype)
                # A row per label: on a CPU a third of the time of a row per document.
                products = tf.matmul(rows, hidden, transpose_b=True)
                logits = ops.cast(products, "float32") + constant
                places = label_ids - start
                if self.is_sharded:
                    logits = tf.where(_find_pads(block)[:, None], MASKED, logits)
                    places = _own_places(block, places)
                own, errors = _find_errors(logits, places)
                if sample_weight is not None:
                    errors *= ops.cast(sample_weight, "float32")
                errors = ops.cast(errors, self.compute_dtype)
                by_hidden = tf.matmul(errors, rows, transpose_a=True)
                losses += own
                gradient += ops.cast(by_hidden, "float32")
                done = [losses]
                if update is not None:
                    done = [losses, gradient]
                    with tf.control_dependencies(done):
                        by_rows = tf.matmul(errors, hidden)
                        update(block, ops.cast(by_rows, "float32"))
                    # A read waits for the update. Without it, the gradients of many
                    # blocks would be in memory, because updates may come later.
                    done.append(tf.gather(block.value, 0))
            start += size
        return losses, gradient

    def save_own_variables(self, store):
        check_whole(self.blocks)
        super().save_own_variables(store)

    def compute_output_shape(self, features_shape):
        return features_shape[0], self.num_labels

    def compute_output_spec(self, features):
        return keras.KerasTensor((features.shape[0], self.num_labels), "float32")

    def get_config(self):
        config = super().get_config()
        names = "num_labels block_labels bottleneck_dim initial_probability table_dtype"
        return config | {name: getattr(self, name) for name in names.split()}


def _draw_normal(random_numbers, shape):
    return STDDEV * random_numbers.standard_normal(shape, "float32")


def _find_pads(block):
    """Which rows of this replica's shard are of no label, bool (rows,)."""
    shards = row_shards(block)
    labels = tf.range(shards.rows) * shards.replicas + replica_index()
    return labels >= shards.num_rows


def _own_places(block, places):
    """Places in this replica's shard of places in the whole block, `-1` for others."""
    shards = row_shards(block)
    replica, own = shards.place(places)
    inside = (places >= 0) & (places < shards.num_rows)
    return tf.where(inside & (replica == replica_index()), own, -1)


def _find_errors(logits, label_ids):
    """Losses (batch,), and derivatives by the logits (labels, batch) of a block.

    `label_ids` (batch, n) count from the first label of the block; others are left out.
    """
    batch, num_labels = tf.shape(label_ids)[0], logits.shape[0]
    inside = (label_ids >= 0) & (label_ids < num_labels)
    hot = tf.cast(inside, tf.float32)
    columns = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(label_ids))
    places = tf.stack([tf.where(inside, label_ids, 0), columns], axis=-1)
    positive = tf.gather_nd(logits, places) * hot  # (batch, n)
    losses = tf.reduce_sum(tf.nn.softplus(logits), axis=0)
    losses -= tf.reduce_sum(positive, axis=1)
    return losses, tf.tensor_scatter_nd_sub(tf.sigmoid(logits), places, hot)
