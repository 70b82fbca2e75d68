"""Products of sparse documents with a sparse table, by an inverted index."""

import numpy as np
import tensorflow as tf


def invert_rows(rows, dtype="float32"):
    """Inverted index of a sparse table: for each column the rows that have it.

    Args:
        rows: csr matrix (num_rows, num_columns).
        dtype: string. dtype of the values. Defaults to `"float32"`.

    Returns:
        `(starts, row_ids, values)`: int32 (num_columns + 1,), the place of each
        column's first entry; int32 (entries,) and `dtype` (entries,).

    Example:

    >>> import scipy.sparse
    >>> starts, row_ids, values = invert_rows(scipy.sparse.csr_matrix([[0, 2], [3, 4]]))
    >>> starts.tolist(), row_ids.tolist(), values.tolist()
    ([0, 1, 3], [1, 0, 1], [3.0, 2.0, 4.0])
    """
    columns = rows.tocsc()
    columns.sort_indices()
    return (
        columns.indptr.astype(np.int32),
        columns.indices.astype(np.int32),
        columns.data.astype(dtype),
    )


def sum_postings(postings, num_rows, ids, documents, weights, size):
    """Products (size, num_rows) of documents with all rows of a table.

    A document reads only the entries of its own columns, a few thousand out of
    millions. The ops are among those that every server has.

    Args:
        postings: `(starts, row_ids, values)` of `invert_rows`, as tensors; values of
            any float dtype.
        num_rows: int.
        ids: int32 tensor (n,). Columns of all documents, concatenated.
        documents: int32 tensor (n,). The document of each.
        weights: float32 tensor (n,). Its weight.
        size: int or scalar tensor. Number of documents.

    Returns:
        float32 tensor.

    Example:

    >>> postings = [0, 1, 3], [1, 0, 1], tf.constant([3.0, 2.0, 4.0])
    >>> sum_postings(postings, 2, [1, 0], [0, 2], [10.0, 1.0], 3).numpy().tolist()
    [[20.0, 40.0], [0.0, 0.0], [0.0, 3.0]]
    """
    starts, row_ids, values = postings
    ids = tf.convert_to_tensor(ids, tf.int32)
    found = tf.ragged.range(
        tf.gather(starts, ids), tf.gather(starts, ids + 1), row_splits_dtype=tf.int32
    )
    places = found.values
    # The id of each place: the number of ids that end before it.
    owner = tf.cumsum(
        tf.raw_ops.DenseBincount(
            input=found.row_splits[1:],
            size=tf.size(places),  # larger values are not counted
            weights=tf.zeros([0], tf.int32),
        )
    )
    products = tf.cast(tf.gather(values, places), tf.float32)
    products *= tf.gather(weights, owner)
    targets = tf.gather(documents, owner) * num_rows + tf.gather(row_ids, places)
    sums = tf.math.unsorted_segment_sum(products, targets, size * num_rows)
    return tf.reshape(sums, [size, num_rows])
