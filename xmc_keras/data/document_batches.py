"""Batches of documents of similar length, for training and prediction."""

import copy
import itertools

import numpy as np
import tensorflow as tf
from scipy.sparse import csr_matrix

from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.kernel_shapes import choose_lengths

# Shuffled documents are sorted by length within windows of this many batches: wide
# enough for little padding (Debian-24K, 128 tokens: 4 %), narrow enough to stay random.
WINDOW = 50
# `label_ids` has this many columns, or twice, four times ... as many. XLA compiles each
# shape: with multiples of 8, one length of Debian-24K has 26 shapes instead of 8.
LABEL_COLUMNS = 8


class DocumentBatches:
    """Cuts tokenised documents into padded batches.

    Each document occurs exactly once per epoch. A batch is as wide as its longest
    document, rounded up to `pad_multiple`, but never wider than the longest of all
    documents. A shuffled order depends on `(seed, epoch)` only: a random permutation is
    cut into windows of 50 batches, each window is sorted by length and cut into
    batches, and the batches are shuffled. Without shuffling, the longest documents come
    first, so that memory peaks at the start; `restore` undoes the order.

    A batch is `(x, y)`, or `x` if there are no labels. `x` holds `token_ids`, int32,
    `padding_mask`, bool, and `segment_ids`, int32 zeros, all (batch, length), and
    `label_ids`, int32 (batch, positives) with -1 pads at the end of the rows; `y` is a
    copy of `label_ids`. No array has the size (batch, labels).

    Args:
        tokens: `TokenCache`.
        label_matrix: optional sparse matrix (documents, labels).
        batch_size: int. The last batch may be smaller.
        pad_id: int. Token id of padding.
        shuffle: bool. `True` for training.
        seed: int. Seed of the shuffled orders. Defaults to `0`.
        pad_multiple: int. Lengths are rounded up to a multiple of this. Defaults to
            `8`.
        fixed_length: optional int. Pads all batches to this length and does not sort
            shuffled documents, like the code of the LightXML authors. Defaults to
            `None`.
        drop_remainder: bool. Whether to leave out the documents that do not fill a
            batch, different ones in each epoch. Only with `shuffle=True`. Defaults to
            `False`.
        segment_ids: bool. `False` for backbones without segments (RoBERTa). Defaults to
            `True`.

    Example:

    >>> from xmc_keras.data.token_cache import TokenCache
    >>> tokens = TokenCache(np.array([2, 3, 2, 7, 3]), np.array([0, 2, 5]))
    >>> labels = csr_matrix([[1, 0, 1], [0, 1, 0]])
    >>> batches = DocumentBatches(tokens, labels, 2, pad_id=0, shuffle=False)
    >>> x, y = next(batches.batches(epoch=0))
    >>> x["token_ids"].tolist(), y[:, :3].tolist()
    ([[2, 7, 3], [2, 3, 0]], [[1, -1, -1], [0, 2, -1]])
    >>> batches.restore(np.array(["long", "short"])).tolist()
    ['short', 'long']
    """

    def __init__(
        self,
        tokens,
        label_matrix,
        batch_size,
        pad_id,
        shuffle,
        seed=0,
        pad_multiple=8,
        fixed_length=None,
        drop_remainder=False,
        segment_ids=True,
    ):
        longest = int(tokens.lengths.max(initial=0))
        if batch_size < 1 or pad_multiple < 1:
            raise ValueError(
                "Expected `batch_size` >= 1 and `pad_multiple` >= 1. "
                f"Received: {batch_size}, {pad_multiple}"
            )
        if fixed_length is not None and fixed_length < longest:
            raise ValueError(
                f"Expected `fixed_length` >= {longest}, the longest document. "
                f"Received: {fixed_length}"
            )
        if drop_remainder and not shuffle:
            raise ValueError(
                "Expected `shuffle=True` with `drop_remainder`. Received: shuffle=False"
            )
        if len(tokens) < (batch_size if drop_remainder else 1):
            raise ValueError(
                f"Expected documents for a batch of {batch_size}. Received: "
                f"{len(tokens)} documents"
            )
        self.tokens = tokens
        if label_matrix is not None:
            self._check_rows(label_matrix)
        self.batch_size = batch_size
        self.pad_id = pad_id
        self.shuffle = shuffle
        self.seed = seed
        self.fixed_length = fixed_length
        self.pad_multiple = fixed_length or pad_multiple
        self.longest = fixed_length or longest
        self.drop_remainder = drop_remainder
        self.segment_ids = segment_ids
        self.labels = None if label_matrix is None else csr_matrix(label_matrix)
        self.negatives, self.negatives_key = None, None
        self.weights = None  # of documents, see `with_weights`
        self.words = None  # see `with_words`
        self.lengths = None  # of batches, see `with_few_lengths`
        self._longest_first = np.argsort(-tokens.lengths, kind="stable")

    def __len__(self):
        return self.num_batches

    @property
    def num_batches(self):
        """Number of batches per epoch."""
        missing = 0 if self.drop_remainder else self.batch_size - 1
        return (len(self.tokens) + missing) // self.batch_size

    def in_order(self):
        """Returns a copy without shuffling, for prediction with `restore`."""
        batches = copy.copy(self)
        batches.shuffle = batches.drop_remainder = False
        batches.lengths = batches.weights = None
        return batches

    def with_few_lengths(self, epochs, cost):
        """Returns a copy with fewer different lengths, if training is short.

        Only for at most 50 batches: they are sorted as a whole, so that all epochs have
        the same lengths. Others are worth compiling, and are left as they are.

        Args:
            epochs: int. Epochs of the whole training.
            cost: float, see `choose_lengths`.
        """
        if not self.shuffle or self.fixed_length or self.num_batches > WINDOW:
            return self
        parts = self._epoch(0)
        lengths, places = np.unique(
            [self._length(documents) for documents in parts], return_inverse=True
        )
        counts = epochs * np.bincount(places, [len(documents) for documents in parts])
        batches = copy.copy(self)
        batches.lengths = choose_lengths(lengths, counts, cost)
        return batches

    def with_shortlist(self, shortlist):
        """Returns a copy that adds each document's shortlist as `x["shortlist"]`.

        Args:
            shortlist: int32 array (documents, n). Label ids, `-1` pads.
        """
        return self._with_negatives("shortlist", shortlist)

    def with_clusters(self, cluster_ids):
        """Returns a copy that adds each document's clusters as `x["cluster_ids"]`.

        Args:
            cluster_ids: int32 array (documents, n), `-1` pads.
        """
        return self._with_negatives("cluster_ids", cluster_ids)

    def with_weights(self, weights):
        """Returns a copy whose `dataset` adds the weights of documents for `fit`.

        Args:
            weights: optional array (documents,). `None` adds none.
        """
        batches = copy.copy(self)
        if weights is not None:
            batches.weights = np.asarray(weights, np.float32)
            self._check_rows(batches.weights)
        return batches

    def with_words(self, features):
        """Returns a copy that adds the words of documents, as a `Hybrid` reads them.

        Args:
            features: csr matrix (documents, num_features), such as TF-IDF rows.
        """
        self._check_rows(features)
        batches = copy.copy(self)
        batches.words = csr_matrix(features, dtype=np.float32)
        return batches

    def _with_negatives(self, key, ids):
        self._check_rows(ids)
        batches = copy.copy(self)
        batches.negatives, batches.negatives_key = ids, key
        return batches

    @property
    def order(self):
        """The order of the documents without shuffling, int64 (documents,)."""
        if self.shuffle:
            raise ValueError(
                "Expected `shuffle=False`, because `order` differs by epoch. Received: "
                "shuffle=True"
            )
        return self._longest_first

    def restore(self, array):
        """Undoes `order`, for example of the result of `model.predict`.

        Args:
            array: array (documents, ...), rows in `order`.

        Returns:
            array of the same shape, rows in the order of the documents.
        """
        self._check_rows(array)
        restored = np.empty_like(array)
        restored[self.order] = array
        return restored

    def batches(self, epoch=0, start=0):
        """Iterates over the batches of one epoch, as NumPy arrays.

        Args:
            epoch: int, from 0.
            start: int. First batch, from 0; earlier batches are not built.
        """
        self._check_start(start)
        return map(self._batch, self._epoch(epoch)[start:])

    def dataset(self, epoch=0, start=0):
        """Creates a `tf.data.Dataset` for `model.fit`, `evaluate` or `predict`.

        Its first pass yields epoch `epoch`, the next one `epoch + 1`, and so on. A pass
        counts once its last batch is built: under a distribution strategy, Keras begins
        a pass to build the model and drops it.

        With `start`, the dataset holds the rest of that epoch only, because Keras would
        cut later epochs to the length of a short first one. Resuming within epoch `e`
        therefore takes two calls,

            model.fit(batches.dataset(e, start), initial_epoch=e, epochs=e + 1)
            model.fit(batches.dataset(e + 1), initial_epoch=e + 1, epochs=epochs)

        both with `shuffle=False`; otherwise Keras warns that it cannot shuffle.

        Args:
            epoch: int. Epoch of the first pass.
            start: int. First batch, from 0.

        Returns:
            `tf.data.Dataset` of batches, of known cardinality.
        """
        self._check_start(start)
        next_epoch = epoch

        def one_pass():
            nonlocal next_epoch
            this_epoch = epoch if start else next_epoch
            *first, last = self._epoch(this_epoch)[start:]
            yield from map(self._weighted_batch, first)
            # Before the last batch: the consumer may not ask for anything after it.
            next_epoch = this_epoch + 1
            yield self._weighted_batch(last)

        signature = self._signature()
        if self.weights is not None:
            signature = (*signature, tf.TensorSpec([None]))
        dataset = tf.data.Dataset.from_generator(one_pass, output_signature=signature)
        # With unknown cardinality, Keras would warn at the end of every epoch that the
        # data ran out.
        count = tf.data.experimental.assert_cardinality(self.num_batches - start)
        return dataset.apply(count).prefetch(2)

    def replica_dataset(self, strategy, epoch=0, start=0):
        """Creates the data set of several replicas, for `fit` with `steps_per_epoch`.

        Every replica gets its part of each batch, as wide as its own longest document,
        and every worker makes the parts of its replicas alone. The data set has no end:
        after the last batch of an epoch comes the next epoch.

        In training it yields weights, too, and a replica for which the last batch has
        no document gets one of weight 0. In evaluation a last batch smaller than the
        number of replicas is a part of the one before.

        Args:
            strategy: a `tf.distribute.Strategy`.
            epoch, start: see `dataset`.

        Returns:
            `(dataset, steps)`: a distributed data set, and the steps of an epoch that
            are left.
        """
        self._check_start(start)
        replicas = strategy.num_replicas_in_sync
        if len(self.tokens) < replicas:
            raise BadInput(
                f"Expected a document for each of {replicas} replicas. Received: "
                f"{len(self.tokens)} documents."
            )

        def of_worker(context):
            local = replicas // context.num_input_pipelines
            own = range(
                local * context.input_pipeline_id,
                local * (context.input_pipeline_id + 1),
            )

            def parts():
                for this_epoch in itertools.count(epoch):
                    first = start if this_epoch == epoch else 0
                    for documents in self._shared_epoch(this_epoch, replicas)[first:]:
                        pieces = np.array_split(documents, replicas)
                        for replica in own:
                            yield self._replica_batch(documents, pieces[replica])

            signature = self._signature()
            if self.shuffle:
                signature = (*signature, tf.TensorSpec([None]))
            dataset = tf.data.Dataset.from_generator(parts, output_signature=signature)
            return dataset.prefetch(2 * local)

        steps = len(self._shared_epoch(epoch, replicas)) - start
        return strategy.distribute_datasets_from_function(of_worker), steps

    def _shared_epoch(self, epoch, replicas):
        """The documents of each batch of an epoch for several replicas."""
        parts = self._epoch(epoch)
        if not self.shuffle and len(parts) > 1 and len(parts[-1]) < replicas:
            *parts, before, last = parts
            parts.append(np.concatenate([before, last]))
        return parts

    def _replica_batch(self, documents, piece):
        if not self.shuffle:
            return self._batch(piece)
        if not len(piece):
            return *self._batch(documents[:1]), np.zeros(1, np.float32)
        weights = np.ones(len(piece), np.float32)
        if self.weights is not None:
            weights = self.weights[piece]
        return *self._batch(piece), weights

    def _check_rows(self, array):
        rows, documents = array.shape[0], len(self.tokens)
        if rows != documents:
            raise ValueError(
                f"Expected {documents} rows, one per document. Received: {rows}"
            )

    def _check_start(self, start):
        if not 0 <= start < self.num_batches:
            raise ValueError(
                f"Expected `start` from 0 to {self.num_batches - 1}. Received: {start}"
            )

    def _epoch(self, epoch):
        """The documents of each batch of an epoch, a list of int64 arrays."""
        order, size = self._longest_first, self.batch_size
        if not self.shuffle:
            return [order[i : i + size] for i in range(0, len(order), size)]
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.tokens))[: self.num_batches * size]
        if self.fixed_length is None:
            window = np.arange(len(order)) // (WINDOW * size)
            order = order[np.lexsort([self.tokens.lengths[order], window])]
        # A window is a whole number of batches, so only the last batch is short.
        starts = size * random.permutation(self.num_batches)
        return [order[i : i + size] for i in starts]

    def _length(self, documents):
        """The number of tokens that a batch of documents is padded to."""
        length = int(self.tokens.lengths[documents].max())
        length += -length % self.pad_multiple
        length = min(length, self.longest)
        if self.lengths is None:
            return length
        return int(self.lengths[np.searchsorted(self.lengths, length)])

    def _weighted_batch(self, documents):
        """A batch for Keras: with the weights of its documents, if there are any."""
        batch = self._batch(documents)
        return batch if self.weights is None else (*batch, self.weights[documents])

    def _batch(self, documents):
        length = self._length(documents)
        token_ids, mask = self.tokens.padded(documents, length, self.pad_id)
        x = {"token_ids": token_ids, "padding_mask": mask}  # (batch, length)
        if self.segment_ids:
            x["segment_ids"] = np.zeros_like(token_ids)
        if self.negatives is not None:
            x[self.negatives_key] = self.negatives[documents]  # (batch, n)
        if self.words is not None:
            x["word_ids"], x["word_weights"] = pad_rows(self.words[documents])
        if self.labels is None:
            return x
        rows = self.labels[documents]
        counts = np.diff(rows.indptr)
        positives = LABEL_COLUMNS
        while positives < counts.max():
            positives *= 2
        label_ids = np.full([len(documents), positives], -1, np.int32)
        label_ids[np.arange(positives) < counts[:, None]] = rows.indices
        # A copy as the target: TensorFlow may compute in the memory of an input.
        return {**x, "label_ids": label_ids}, label_ids.copy()  # (batch, positives)

    def _signature(self):
        ids = tf.TensorSpec([None, None], tf.int32)
        x = {"token_ids": ids, "padding_mask": tf.TensorSpec([None, None], tf.bool)}
        if self.segment_ids:
            x["segment_ids"] = ids
        if self.negatives is not None:
            x[self.negatives_key] = ids
        if self.words is not None:
            x |= {"word_ids": ids, "word_weights": tf.TensorSpec([None, None])}
        return x if self.labels is None else ({**x, "label_ids": ids}, ids)


def pad_rows(rows):
    """Pads the rows of a csr matrix to the longest one.

    Args:
        rows: csr matrix (rows, columns).

    Returns:
        `(columns, values)`, int32 and float32 (rows, n), with -1 and 0 at the ends of
        shorter rows.

    Example:

    >>> columns, values = pad_rows(csr_matrix([[0, 5.0], [0, 0]]))
    >>> columns.tolist(), values.tolist()
    ([[1], [-1]], [[5.0], [0.0]])
    """
    lengths = np.diff(rows.indptr)
    width = max(int(lengths.max(initial=0)), 1)
    real = np.arange(width) < lengths[:, None]  # (rows, width)
    columns = np.full(real.shape, -1, np.int32)
    values = np.zeros(real.shape, np.float32)
    columns[real], values[real] = rows.indices, rows.data
    return columns, values
