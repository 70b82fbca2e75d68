"""Batches of documents of like length, for `model.fit` and for prediction."""

import copy

import numpy as np
import tensorflow as tf
from scipy.sparse import csr_matrix

# Documents are sorted by length within windows of so many batches: wide enough for
# little padding (Debian-24K, 128 tokens: 4 %), narrow enough to stay random.
WINDOW = 50
# `label_ids` are so many columns wide, or twice, four times ... as many: XLA compiles
# each shape anew, and multiples of 8 gave Debian-24K 26 shapes at one length, not 8.
LABEL_COLUMNS = 8


class DocumentBatches:
    """Cuts tokenised documents into padded batches.

    Every document comes exactly once an epoch. A batch is as wide as its longest
    document, rounded up to `pad_multiple`, but never wider than the longest of
    all documents. Shuffled, the order depends on `(seed, epoch)` alone: a random
    permutation is cut into windows of 50 batches, each window is sorted by length
    and cut into batches, and the batches are shuffled. Not shuffled, documents
    come longest first, so that memory peaks at once; `restore` undoes the order.

    A batch is `(x, y)`, or `x` alone without labels. `x` holds `token_ids` int32,
    `padding_mask` bool and `segment_ids` int32 zeros, all (batch, length), and
    `label_ids` int32 (batch, positives) with -1 pads at the row ends; `y` is
    `label_ids` again. Nothing has the size of batch x labels.

    Args:
        tokens: `TokenCache`.
        label_matrix: optional sparse matrix, (documents, labels).
        batch_size: integer. The last batch may be smaller.
        pad_id: integer. Token id of padding.
        shuffle: boolean. True for training.
        seed: integer. Of the shuffled orders.
        pad_multiple: integer. Lengths are rounded up to a multiple of it.
        fixed_length: optional integer. Pads all batches to this length and does
            not sort shuffled documents, as the authors of LightXML do.
        drop_remainder: boolean. Leaves out the documents that do not fill a batch,
            others in each epoch. Only when shuffled.
        segment_ids: boolean. False for backbones without them (RoBERTa).

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
            raise ValueError("Expected `shuffle=True` with `drop_remainder`.")
        if len(tokens) < (batch_size if drop_remainder else 1):
            raise ValueError(
                f"Expected a batch of {batch_size}. Received: {len(tokens)} documents"
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
        self.shortlist = None
        self._longest_first = np.argsort(-tokens.lengths, kind="stable")

    def __len__(self):
        return self.num_batches

    @property
    def num_batches(self):
        """Integer, batches an epoch."""
        missing = 0 if self.drop_remainder else self.batch_size - 1
        return (len(self.tokens) + missing) // self.batch_size

    def in_order(self):
        """The same documents, not shuffled: for prediction, with `restore`."""
        batches = copy.copy(self)
        batches.shuffle = batches.drop_remainder = False
        return batches

    def with_shortlist(self, shortlist):
        """The same with the rows of int32 (documents, clusters) in `x["shortlist"]`."""
        self._check_rows(shortlist)
        batches = copy.copy(self)
        batches.shortlist = shortlist
        return batches

    @property
    def order(self):
        """int64 (documents,): the documents as they come when not shuffled."""
        if self.shuffle:
            raise ValueError("Expected `shuffle=False`: `order` differs by epoch.")
        return self._longest_first

    def restore(self, array):
        """Puts rows that came in `order`, e.g. of `model.predict`, back.

        Args:
            array: array, (documents, ...), as is the result.
        """
        self._check_rows(array)
        restored = np.empty_like(array)
        restored[self.order] = array
        return restored

    def batches(self, epoch=0, start=0):
        """Iterates over the batches of one epoch, as NumPy arrays.

        Args:
            epoch: integer, from 0.
            start: integer. First batch, from 0; those before it are not built.
        """
        self._check_start(start)
        return map(self._batch, self._epoch(epoch)[start:])

    def dataset(self, epoch=0, start=0):
        """Makes a `tf.data.Dataset` for `model.fit`, `evaluate` or `predict`.

        Its first pass yields `epoch`, the next one `epoch + 1`, and so on. A pass
        counts once its last batch is built, because Keras begins one more and drops
        it to build a model under a distribution strategy.

        With `start`, it holds the rest of that epoch and nothing else, because
        Keras would cut the epochs that follow to the length of a short first one.
        To go on within epoch `e` is therefore two calls:

            model.fit(batches.dataset(e, start), initial_epoch=e, epochs=e + 1)
            model.fit(batches.dataset(e + 1), initial_epoch=e + 1, epochs=epochs)

        both with `shuffle=False`, or Keras warns that it cannot shuffle.

        Args:
            epoch: integer. Of the first pass.
            start: integer. First batch, from 0.
        """
        self._check_start(start)
        next_epoch = epoch

        def one_pass():
            nonlocal next_epoch
            this_epoch = epoch if start else next_epoch
            *first, last = self._epoch(this_epoch)[start:]
            yield from map(self._batch, first)
            # Before the last batch, not after: who has it may never ask for more.
            next_epoch = this_epoch + 1
            yield self._batch(last)

        signature = self._signature()
        dataset = tf.data.Dataset.from_generator(one_pass, output_signature=signature)
        # Were the number of batches unknown, Keras would warn at every epoch's end
        # that the data ran out.
        count = tf.data.experimental.assert_cardinality(self.num_batches - start)
        return dataset.apply(count).prefetch(2)

    def _check_rows(self, array):
        rows, documents = array.shape[0], len(self.tokens)
        if rows != documents:
            raise ValueError(
                f"Expected rows for {documents} documents. Received: {rows}"
            )

    def _check_start(self, start):
        if not 0 <= start < self.num_batches:
            raise ValueError(
                f"Expected `start` from 0 to {self.num_batches - 1}. Received: {start}"
            )

    def _epoch(self, epoch):
        """List of int64 arrays, the documents of each batch of an epoch."""
        order, size = self._longest_first, self.batch_size
        if not self.shuffle:
            return [order[i : i + size] for i in range(0, len(order), size)]
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.tokens))[: self.num_batches * size]
        if self.fixed_length is None:
            window = np.arange(len(order)) // (WINDOW * size)
            order = order[np.lexsort([self.tokens.lengths[order], window])]
        # A window is a whole number of batches, so only the last batch is short.
        begins = size * random.permutation(self.num_batches)
        return [order[i : i + size] for i in begins]

    def _batch(self, documents):
        length = int(self.tokens.lengths[documents].max())
        length += -length % self.pad_multiple
        length = min(length, self.longest)
        token_ids, mask = self.tokens.padded(documents, length, self.pad_id)
        x = {"token_ids": token_ids, "padding_mask": mask}  # (batch, length)
        if self.segment_ids:
            x["segment_ids"] = np.zeros_like(token_ids)
        if self.shortlist is not None:
            x["shortlist"] = self.shortlist[documents]  # (batch, clusters)
        if self.labels is None:
            return x
        rows = self.labels[documents]
        counts = np.diff(rows.indptr)
        positives = LABEL_COLUMNS
        while positives < counts.max():
            positives *= 2
        label_ids = np.full([len(documents), positives], -1, np.int32)
        label_ids[np.arange(positives) < counts[:, None]] = rows.indices
        return {**x, "label_ids": label_ids}, label_ids  # (batch, positives)

    def _signature(self):
        ids = tf.TensorSpec([None, None], tf.int32)
        x = {"token_ids": ids, "padding_mask": tf.TensorSpec([None, None], tf.bool)}
        if self.segment_ids:
            x["segment_ids"] = ids
        if self.shortlist is not None:
            x["shortlist"] = ids
        return x if self.labels is None else ({**x, "label_ids": ids}, ids)
