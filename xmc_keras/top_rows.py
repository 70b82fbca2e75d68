"""The rows of a table with the largest inner products, exactly."""

import tensorflow as tf

BLOCK = 2**17  # rows of the table at a time


def top_rows(queries, table, k, bias=None, block=BLOCK, more=None):
    """The `k` rows of a table that have the largest products with each query.

    Computed block by block, the best so far carried along, so memory holds (batch,
    block) products and never (batch, rows).

    Args:
        queries: float tensor (batch, dim).
        table: float tensor (rows, dim) of the same dtype; the number of rows is known
            when a graph is made.
        k: int. Rows to keep, or all if there are fewer.
        bias: optional float32 tensor (rows,), added to the products.
        block: int. Rows at a time.
        more: optional function of `(start, end)`. What it returns, float32 (batch,
            end - start), is added to the products with these rows.

    Returns:
        ids int32 (batch, k) and products float32 (batch, k), best first; of equal
        ones the first row.

    Example:

    >>> ids, products = top_rows(tf.eye(2), tf.constant([[1.0, 5], [3, 4], [2, 6]]), 2)
    >>> ids.numpy().tolist(), products.numpy().tolist()
    ([[1, 2], [2, 0]], [[3.0, 2.0], [6.0, 5.0]])
    """
    num_rows = table.shape[0]
    ids = products = None
    for start in range(0, num_rows, block):
        end = min(start + block, num_rows)
        part = table if end - start == num_rows else table[start:end]
        found = tf.cast(tf.matmul(queries, part, transpose_b=True), tf.float32)
        if bias is not None:
            found += bias[start:end]
        if more is not None:
            found += more(start, end)
        found, places = tf.math.top_k(found, min(k, end - start))
        places += start
        if ids is not None:
            both = tf.concat([products, found], axis=1)
            found, order = tf.math.top_k(both, min(k, both.shape[1]))
            both = tf.concat([ids, places], axis=1)
            places = tf.gather(both, order, batch_dims=1)
        ids, products = places, found
    return ids, products
