"""Variables of which each replica holds other rows.

`tf.distribute` takes them for mirrored variables: it copies the first one's value when
it makes them, and sums their gradients. So they are filled after they are made, and
whatever sums over replicas or saves asks `row_shards` first.
"""

import random

import numpy as np
import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.distribution.replicas import (
    count_replicas,
    gather_replicas,
    local_part,
    local_replicas,
)
from xmc_keras.ops.distribution.row_shards import RowShards
from xmc_keras.ops.distribution.workers import Workers

ROWS = 10_000  # rows of a new table that are filled at a time
PART = 2**24  # numbers that are gathered at a time


def row_shards(variable):
    """The `RowShards` of a Keras variable, None if it is not sharded.

    Example:

    >>> import keras
    >>> row_shards(keras.Variable([1.0])) is None
    True
    """
    return getattr(variable, "row_shards", None)


def is_sharded(variable):
    """Whether each replica holds other rows of a Keras variable."""
    return row_shards(variable) is not None


def check_whole(variables):
    """Raises `ValueError` if one of the Keras variables is sharded."""
    for variable in variables:
        if is_sharded(variable):
            raise ValueError(
                f"Expected whole tables. Received: {variable.path}, of which each "
                "replica has other rows. Take the model that `whole_model` returns."
            )


def mark_sharded(variable, shards):
    """Notes the `RowShards` of a Keras variable of `shards.rows` rows; returns it."""
    variable.row_shards = shards
    return variable


def deal_rows(num_rows, group=1):
    """The `RowShards` of a new table over the replicas of the strategy in scope.

    Returns:
        `RowShards`, or None without several replicas: the table stays whole.

    Raises:
        BadInput: there are more replicas than groups.
    """
    replicas = count_replicas()
    if replicas == 1:
        return None
    shards = RowShards(num_rows, replicas, group)
    if replicas > shards.groups:
        rows = "rows" if group == 1 else f"clusters of {group} labels"
        raise BadInput(
            f"Expected at most as many replicas as {rows} in a sharded label table, "
            f"{shards.groups}. Received: {replicas} replicas.",
            remedy="Set shard_labels: false, or start fewer workers.",
        )
    return shards


def add_sharded_table(layer, shards, dim, draw, name, dtype="float32"):
    """Adds a weight of which each replica holds its shard, with rows of its own.

    Args:
        layer: a `keras.layers.Layer`, in its `build`, within the strategy's scope.
        shards: `RowShards`.
        dim: int. Width of a row.
        draw: function of a `numpy.random.Generator` and a shape that returns float32
            numbers.
        name: string. Name of the weight, which has the path of a whole table.
        dtype: string. Defaults to `"float32"`.

    Returns:
        The weight (shards.rows, dim), a `keras.Variable` that is never autocast.
    """
    weight = layer.add_weight(
        shape=(shards.rows, dim),
        initializer="zeros",
        dtype=dtype,
        autocast=False,
        name=name,
    )
    mark_sharded(weight, shards)
    # `keras.utils.set_random_seed` seeds Python's generator, so runs are repeatable.
    seed = random.getrandbits(32)
    for replica, shard in local_shards(weight):
        random_numbers = np.random.default_rng([seed, replica])
        pads = shards.owned(replica) < 0
        for start in range(0, shards.rows, ROWS):
            ids = np.arange(start, min(start + ROWS, shards.rows))
            rows = draw(random_numbers, (len(ids), dim))
            rows[pads[ids]] = 0
            _write(shard, ids, rows)
    return weight


def local_shards(variable):
    """`(replica, TensorFlow variable)` of each shard in this process, a list."""
    strategy = variable.value.distribute_strategy
    parts = strategy.experimental_local_results(variable.value)
    return list(zip(local_replicas(strategy), parts, strict=True))


def read_chunks(variable):
    """Yields the rows of a whole table in parts. All workers have to call it together.

    Args:
        variable: a sharded Keras variable.

    Yields:
        `(ids, rows)`: an int64 array (n,), and an array (n, ...) of the variable's
        dtype. Every row comes once, in no order.
    """
    shards = row_shards(variable)
    owned = [shards.owned(replica) for replica in range(shards.replicas)]
    dtype = tf.as_dtype(variable.dtype).as_numpy_dtype
    width = int(np.prod(variable.shape[1:]))
    size = max(1, PART // (width * shards.replicas))
    for start in range(0, shards.rows, size):
        end = min(start + size, shards.rows)
        rows = _gather_part(variable)(start, end).numpy()  # shard after shard
        ids = np.concatenate([part[start:end] for part in owned])
        yield ids[ids >= 0], rows[ids >= 0].astype(dtype)


def _gather_part(variable):
    """A function that gathers rows of all shards, traced once for a variable."""
    if not hasattr(variable, "gather_part"):
        strategy = variable.value.distribute_strategy

        def of_replica(start, end):
            rows = tf.gather(local_part(variable.value), tf.range(start, end))
            # TensorFlow's kernels exchange no bfloat16.
            return gather_replicas(tf.cast(rows, tf.float32))

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32)] * 2)
        def gather_part(start, end):
            found = strategy.run(of_replica, args=(start, end))
            return strategy.experimental_local_results(found)[0]

        variable.gather_part = gather_part
    return variable.gather_part


def read_whole(variable, everywhere=False):
    """The value of a Keras variable, put together from its shards if it is sharded.

    All workers have to call it together, if the variable is sharded.

    Args:
        variable: a Keras variable, sharded or not.
        everywhere: bool. Whether every worker gets it. Defaults to `False`: the chief
            alone, and others get None.

    Returns:
        An array, or None.
    """
    kept = everywhere or Workers(_strategy(variable)).is_chief
    if not is_sharded(variable):
        return np.array(variable) if kept else None
    whole = None
    if kept:
        dtype = tf.as_dtype(variable.dtype).as_numpy_dtype
        whole = np.empty(whole_shape(variable), dtype)
    for ids, rows in read_chunks(variable):
        if kept:
            whole[ids] = rows
    return whole


def whole_shape(variable):
    """The shape of the whole table of a Keras variable, sharded or not, a tuple."""
    if not is_sharded(variable):
        return tuple(variable.shape)
    return row_shards(variable).num_rows, *variable.shape[1:]


def assign_whole(variable, table):
    """Sets a Keras variable: each replica takes its shard, if it is sharded.

    Args:
        variable: a Keras variable.
        table: array of `whole_shape(variable)`. Every worker that calls it has it.
    """
    if not is_sharded(variable):
        variable.assign(table)
        return
    if tuple(table.shape) != whole_shape(variable):
        raise ValueError(
            f"Expected a table of shape {whole_shape(variable)} for {variable.path}. "
            f"Received: {tuple(table.shape)}"
        )
    shards = row_shards(variable)
    for replica, part in local_shards(variable):
        part.assign(shards.shard(table, replica))


def assign_rows(variable, ids, rows):
    """Replaces rows of a Keras variable, whole or sharded.

    Args:
        variable: a Keras variable (num_rows, dim).
        ids: int array (n,), the rows of the whole table, each once.
        rows: array (n, dim) of their values. Every worker has all of them.
    """
    if not is_sharded(variable):
        _write(variable.value, ids, rows)
        return
    owner, places = row_shards(variable).place(np.asarray(ids))
    for replica, part in local_shards(variable):
        own = owner == replica
        _write(part, places[own], np.asarray(rows)[own])


def read_local(variable):
    """What this process holds of a Keras variable, an array.

    Returns:
        The value, or its shards (local replicas, rows, ...) if it is sharded.
    """
    if not is_sharded(variable):
        return np.array(variable)
    return np.stack([part.numpy() for _, part in local_shards(variable)])


def assign_local(variable, value):
    """Sets what this process holds of a Keras variable, as `read_local` returns it."""
    if not is_sharded(variable):
        variable.assign(value)
        return
    for (_, part), shard in zip(local_shards(variable), value, strict=True):
        part.assign(shard)


def gather_shards(variable, value):
    """The whole of an array like what `read_local` returns of a Keras variable.

    All workers have to call it together, if the variable is sharded.

    Returns:
        The array, or on the chief the whole table if the variable is sharded, and on
        others None.
    """
    if not is_sharded(variable):
        return value
    kept = read_local(variable)
    assign_local(variable, value)
    try:
        return read_whole(variable)
    finally:
        assign_local(variable, kept)


def deal_out(variable, table):
    """Undoes `gather_shards`, given the whole table on every worker."""
    if not is_sharded(variable):
        return table
    shards = row_shards(variable)
    return np.stack([shards.shard(table, r) for r, _ in local_shards(variable)])


def _strategy(variable):
    return getattr(variable.value, "distribute_strategy", None)


def _write(variable, ids, rows):
    values = tf.cast(rows, variable.dtype)
    variable.scatter_update(tf.IndexedSlices(values, tf.constant(ids)))
