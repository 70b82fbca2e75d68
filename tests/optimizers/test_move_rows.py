import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.numpy_adamw import NumpyAdamW
from xmc_keras.optimizers import row_updates as file
from xmc_keras.optimizers.row_updates import (
    adam_rows_by_xla,
    adam_update,
    apply_row_updates,
)


@pytest.mark.parametrize("num_rows", [0, 1, 4, 7, 8])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_every_row_once_in_chunks_of_one_size(monkeypatch, jit_compile, num_rows):
    monkeypatch.setattr(file, "CHUNK", 8)  # four rows of two numbers
    table, visits = tf.Variable(tf.zeros([9, 2])), tf.Variable(tf.zeros(9))
    by_xla, compiled = [], tf.Variable(0)

    def update(ids, values, **how):
        by_xla.append(how["by_xla"])
        if how["by_xla"]:
            compiled.assign(tf.size(ids))
        table.scatter_update(tf.IndexedSlices(values, ids))
        visits.scatter_add(tf.IndexedSlices(tf.ones(tf.shape(ids)), ids))

    ids = np.random.default_rng(0).permutation(9)[:num_rows].astype("int32")
    values = np.arange(2.0 * num_rows, dtype="float32").reshape(num_rows, 2) + 1

    @tf.function(jit_compile=jit_compile and num_rows > 0)
    def run():
        apply_row_updates(update, tf.constant(ids), tf.reshape(values, [-1, 2]))

    run()
    expected = np.zeros((9, 2))
    expected[ids] = values
    np.testing.assert_array_equal(table, expected)
    np.testing.assert_array_equal(visits, np.isin(np.arange(9), ids))
    # If XLA compiles the whole step, chunks are not compiled separately.
    assert any(by_xla) != (jit_compile and num_rows > 0)
    # XLA would compile again for each other number of rows.
    assert compiled.numpy() == (4 if any(by_xla) and num_rows >= 4 else 0)


@pytest.mark.parametrize("move", [adam_update, adam_rows_by_xla])
def test_rows_of_zeros_rest(move):
    rng = np.random.default_rng(1)
    rows, total = rng.normal(size=(2, 4, 3)).astype("float32")
    total[1] = 0
    oracle = NumpyAdamW(rows, decay=0.3)
    oracle.step(total, 0.1)
    # The learning rate of the first step, with Adam's bias corrections.
    alpha = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    numbers = np.float32([0.9, 0.999, alpha, 0.1 * 0.3, 1e-7])
    zeros = np.zeros((4, 3), "float32")
    found = move(*map(tf.constant, (total, rows, zeros, zeros, *numbers)), False)
    for array, start, expected in zip(
        found, (rows, zeros, zeros), (oracle.weight, oracle.m, oracle.v)
    ):
        np.testing.assert_array_equal(array[1], start[1])
        others = [0, 2, 3]
        np.testing.assert_allclose(array.numpy()[others], expected[others], 1e-5, 1e-7)
