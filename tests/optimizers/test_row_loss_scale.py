import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.optimizers.row_loss_scale import RowLossScale
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW


@pytest.fixture
def table():
    return keras.Variable(np.ones((4, 2), "float32"), name="label_embeddings")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_overflow_in_any_occurrence_of_a_row_is_seen(table, place):
    optimizer = RowLossScale(RowwiseAdamW(0.1), initial_scale=8.0)
    optimizer.build([table])
    values = np.ones((3, 2), "float32")
    values[place, 1] = np.inf
    # Row 2 repeats, so its gradient has two occurrences.
    gradient = tf.IndexedSlices(tf.constant(values), [2, 0, 2], [4, 2])
    optimizer.apply([gradient], [table])
    np.testing.assert_array_equal(table, np.ones((4, 2)))
    assert float(optimizer.dynamic_scale) == 4.0


def test_finite_gradients_are_those_of_the_inner_optimizer(table):
    values = tf.constant(np.arange(6, dtype="float32").reshape(3, 2))
    other = keras.Variable(np.ones((4, 2), "float32"), name="label_embeddings")
    scaled, plain = (
        RowLossScale(RowwiseAdamW(0.1), initial_scale=8.0),
        RowwiseAdamW(0.1),
    )
    scaled.build([table])
    plain.build([other])
    scaled.apply([tf.IndexedSlices(8 * values, [2, 0, 2], [4, 2])], [table])
    plain.apply([tf.IndexedSlices(values, [2, 0, 2], [4, 2])], [other])
    np.testing.assert_allclose(table, other, rtol=1e-6)
    assert (table[1] == 1).numpy().all() and (table[2] != 1).numpy().all()


def test_the_check_holds_no_dense_table(table):
    optimizer = RowLossScale(RowwiseAdamW(0.1))
    optimizer.build([table])

    @tf.function
    def finite(values):
        return optimizer.check_finite([tf.IndexedSlices(values, [2, 0, 2], [4, 2])])

    graph = finite.get_concrete_function(tf.ones((3, 2))).graph
    shapes = [out.shape for op in graph.get_operations() for out in op.outputs]
    assert tf.TensorShape([4, 2]) not in shapes
