import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.numpy_adamw import NumpyAdamW
from xmc_keras.optimizers import row_updates
from xmc_keras.optimizers.row_updates import (
    adam_update,
    apply_row_updates,
    draw_row,
    sgd_update,
    step_rows,
    step_rows_by_xla,
    stochastic_round,
    sum_rows,
)

NUM_ROWS, DIM, GIVEN = 6, 2, 8


@pytest.fixture(scope="module", params=[False, True], ids=["graph", "xla"])
def summed(request):
    ids = tf.TensorSpec([None], tf.int32)
    values = tf.TensorSpec([None, DIM])

    @tf.function(input_signature=[values, ids], jit_compile=request.param)
    def summed(values, ids):
        gradient = tf.IndexedSlices(values, ids, tf.constant([NUM_ROWS, DIM]))
        found = sum_rows(gradient)
        return found.values, found.indices

    return lambda *inputs: [x.numpy() for x in summed(*inputs)], request.param


# Two lengths only, because XLA compiles for each.
rows_given = st.sampled_from([3, GIVEN]).flatmap(
    lambda n: st.lists(st.integers(0, NUM_ROWS - 1), min_size=n, max_size=n)
)


@settings(max_examples=30, deadline=None)
@given(rows_given, st.integers(0, 99))
def test_sum_rows_has_each_row_once_with_its_sum(summed, rows, seed):
    call, by_xla = summed
    values = np.random.default_rng(seed).normal(size=(len(rows), DIM))
    values = values.astype("float32")
    dense = np.zeros((NUM_ROWS, DIM))
    np.add.at(dense, rows, values)
    found, ids = call(values, np.array(rows, "int32"))
    assert len(set(ids.tolist())) == len(ids) == len(found)
    assert len(ids) == (min(len(rows), NUM_ROWS) if by_xla else len(set(rows)))
    assert set(rows) <= set(ids.tolist())
    again = np.zeros((NUM_ROWS, DIM))
    again[ids] = found
    np.testing.assert_allclose(again, dense, 0, 1e-5)


def test_sum_rows_may_be_repeated_and_leaves_dense_gradients_alone(summed):
    call, _ = summed
    values = np.ones((4, DIM), "float32")
    once = call(values, np.array([5, 1, 5, 5], "int32"))
    again = call(*once)
    for found in (once, again):
        dense = np.zeros((NUM_ROWS, DIM))
        dense[found[1]] = found[0]
        np.testing.assert_array_equal(dense.sum(axis=1), [0, 2, 0, 0, 0, 6])
    gradient = tf.ones((2, 3))
    assert sum_rows(gradient) is gradient


def test_sum_of_many_rows_in_bfloat16():
    """A sum of ones in bfloat16 stops growing at 256."""
    ones = tf.ones([1000, 3], tf.bfloat16)
    found = sum_rows(tf.IndexedSlices(ones, tf.zeros([1000], tf.int32), [5, 3]))
    np.testing.assert_array_equal(tf.cast(found.values, tf.float32), [[1000.0] * 3])


@pytest.mark.parametrize("num_rows", [0, 1, 4, 7, 8])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_row_updates_visit_every_row_once_in_chunks_of_one_size(
    monkeypatch, jit_compile, num_rows
):
    monkeypatch.setattr(row_updates, "CHUNK", 8)  # four rows of two numbers
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


@pytest.mark.parametrize("move", [step_rows, step_rows_by_xla])
def test_rows_with_zero_gradients_do_not_move(move):
    rng = np.random.default_rng(1)
    rows, total = rng.normal(size=(2, 4, 3)).astype("float32")
    total[1] = 0
    oracle = NumpyAdamW(rows, decay=0.3)
    oracle.step(total, 0.1)
    # The learning rate of the first step, with Adam's bias corrections.
    alpha = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    numbers = np.float32([0.9, 0.999, alpha, 0.1 * 0.3, 1e-7])
    zeros = np.zeros((4, 3), "float32")
    tables = [tf.constant(x) for x in (rows, zeros, zeros)]
    numbers = [tf.constant(x) for x in numbers]
    found = move(tf.constant(total), tables, adam_update, numbers, False, None)
    for array, start, expected in zip(
        found, (rows, zeros, zeros), (oracle.weight, oracle.m, oracle.v)
    ):
        np.testing.assert_array_equal(array[1], start[1])
        others = [0, 2, 3]
        np.testing.assert_allclose(array.numpy()[others], expected[others], 1e-5, 1e-7)


def test_stochastic_rounding_keeps_what_bfloat16_can_hold():
    values = np.array([[0.0, -0.0, 1.0, -3.140625, 1e-40, np.inf, -np.inf, 2**-126]])
    values = values.astype("float32")
    held = tf.cast(values, tf.bfloat16)
    for seed in range(20):
        again = stochastic_round(tf.cast(held, tf.float32), seed)
        np.testing.assert_array_equal(
            tf.bitcast(again, tf.int16), tf.bitcast(held, tf.int16)
        )
    assert np.isnan(stochastic_round(tf.constant([[np.nan]]), 0)).all()


@pytest.mark.parametrize("value", [1.001, -1.0052, 3e-5, 1e30])
def test_stochastic_rounding_prefers_the_nearer_value(value):
    value = np.float32(value)
    low = np.uint32(value.view(np.uint32) & 0xFFFF0000)
    below, above = (x.view(np.float32) for x in (low, low + np.uint32(2**16)))
    share = (value - below) / (above - below)
    found = tf.cast(stochastic_round(tf.fill([1, 20_000], value), 3), tf.float32)
    assert set(np.unique(found)) == {below, above}
    # Five standard deviations of a mean over 20,000.
    assert np.mean(found == above) == pytest.approx(share, abs=0.018)


def test_stochastic_rounding_depends_on_the_seed_alone():
    rows = tf.fill([2, 100], 1.003)
    first, again, other = (
        tf.cast(stochastic_round(rows, seed), tf.float32).numpy() for seed in (1, 1, 2)
    )
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("rule, moments", [(sgd_update, 0), (adam_update, 2)])
def test_a_compiled_step_of_bfloat16_rows_is_the_same(rule, moments):
    rng = np.random.default_rng(2)
    total, *moments = rng.random((1 + moments, 50, 8)).astype("float32")
    tables = [
        tf.cast(rng.normal(size=(50, 8)), tf.bfloat16),
        *map(tf.constant, moments),
    ]
    numbers = [tf.constant(0.01), 0.0]
    if moments:
        numbers = [tf.constant(x) for x in (0.9, 0.999, 0.01, 0.0, 1e-7)]
    for seed in (0, 1):
        given = tf.constant(total), tables, rule, numbers, 0.0, draw_row(8, seed)
        plain, compiled = step_rows(*given), step_rows_by_xla(*given)
        assert plain[0].dtype == compiled[0].dtype == tf.bfloat16
        # A last digit of float32 may change which way a number is rounded.
        same = np.mean(plain[0].numpy() == compiled[0].numpy())
        assert same > 0.99
        for x, y in zip(plain[1:], compiled[1:]):
            np.testing.assert_allclose(x, y, 1e-5)
