"""Inner products with the rows of a sharded table, and its best rows."""

import tensorflow as tf

from xmc_keras.ops.distribution.replica_documents import ReplicaDocuments
from xmc_keras.ops.distribution.replicas import (
    gather_replicas,
    local_part,
    replica_index,
)
from xmc_keras.ops.distribution.sharded_table import row_shards
from xmc_keras.ops.row_pools import candidate_pool


def sharded_products(hidden, rows, table):
    """Inner products of documents with rows that are on any replica.

    Each replica multiplies its own rows with the documents of all replicas, and the sum
    over replicas has them all. What travels are documents, ids and products; rows
    and their gradients do not.

    Args:
        hidden: float tensor (batch, dim).
        rows: int32 tensor (batch, n) of rows of the whole table, `-1` pads.
        table: a sharded Keras variable.

    Returns:
        float32 tensor (batch, n), `0` at pads.
    """
    shards, shape = row_shards(table), tf.shape(rows)
    documents = ReplicaDocuments(shards.replicas, shape[0], shape[1])
    everyone = documents.gather(hidden)  # (all documents, dim)
    rows_of_all = documents.gather_ids(rows)
    replica, places = shards.place(rows_of_all)
    own = (rows_of_all >= 0) & (replica == replica_index())
    local = tf.where(own, places, -1)
    groups = shards.rows // shards.group
    pool, places = candidate_pool(local, groups, shards.group, groups)
    found = tf.cast(tf.gather(local_part(table.value), pool), hidden.dtype)
    products = tf.matmul(everyone, found, transpose_b=True)
    products = tf.gather(products, tf.maximum(places, 0), batch_dims=1)
    products = tf.where(places < 0, 0.0, tf.cast(products, tf.float32))
    return documents.sum(products)[:, : tf.shape(rows)[1]]


def merge_best(documents, ids, products, k):
    """The best rows of the whole table from the best of each replica's shard.

    Args:
        documents: `ReplicaDocuments`.
        ids, products: int32 and float32 tensors (all documents, n): rows of the whole
            table, and their products, the best of this replica.
        k: int. Number of rows per document, at most those of all replicas.

    Returns:
        `(ids, products)` (documents, k) of own documents, largest first; among equal
        products the lower row comes first.
    """
    ids = documents.own(gather_replicas(ids, axis=1))
    products = documents.own(gather_replicas(products, axis=1))
    order = tf.argsort(ids, axis=1)  # of equal products, `top_k` takes the first
    ids, products = (tf.gather(x, order, batch_dims=1) for x in (ids, products))
    products, places = tf.math.top_k(products, k)
    return tf.gather(ids, places, batch_dims=1), products
