import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.layer_test import run_layer_test
from xmc_keras.encoders.recomputed import Recomputed

X = np.random.default_rng(0).normal(size=(3, 5, 8)).astype("float32")
MASK = np.arange(5) < np.array([[5], [3], [2]])


def make_layer():
    keras.utils.set_random_seed(0)
    layer = keras_nlp.layers.TransformerEncoder(16, 2, dropout=0.3)
    layer.build(X.shape)
    return layer


def pass_twice(layer, seeds, graph):
    """Output, gradients of input and weights, and seeds, from given seeds on."""
    for variable, value in seeds:
        variable.assign(value)
    weights = [v.value for v in layer.trainable_variables]

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, padding_mask=MASK, training=True)
            loss = tf.reduce_sum(tf.sin(tf.cast(y, tf.float32)))
        return y, tape.gradient(loss, [x, *weights])

    y, gradients = (tf.function(both) if graph else both)(tf.constant(X))
    return y, gradients, [variable.numpy() for variable, _ in seeds]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("graph", [True, False])
def test_output_gradients_and_seeds_are_those_of_the_layer(policy, graph):
    keras.config.set_dtype_policy(policy)
    layer = make_layer()
    seeds = [(v, v.numpy()) for v in layer.non_trainable_variables]
    assert seeds  # or dropout would have none
    expected = pass_twice(layer, seeds, graph)
    assert not np.array_equal(expected[2], [value for _, value in seeds])
    found = pass_twice(Recomputed(layer), seeds, graph)
    tf.nest.map_structure(np.testing.assert_array_equal, found, expected)
    assert all(np.abs(g).max() > 0 for g in expected[1][:1])


def test_computes_a_second_time_and_holds_its_inputs_alone():
    layer = make_layer()

    def held(layer):
        """What the way back reads of the way there, in numbers."""

        @tf.function
        def gradients(x):
            with tf.GradientTape() as tape:
                y = tf.reduce_sum(layer(x, padding_mask=MASK, training=True))
            return tape.gradient(y, [v.value for v in layer.trainable_variables])

        graph = gradients.get_concrete_function(tf.constant(X)).graph
        names = [op.name for op in graph.get_operations()]
        return sum("MatMul" in n or "einsum" in n for n in names)

    assert held(Recomputed(layer)) > held(layer)


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        dense = keras.layers.Dense(6, activation="gelu")
        return Recomputed(dense)

    run_layer_test(make, [X[:, 0]], [(3, 6)], tmp_path)


def test_outside_training_it_is_the_layer():
    layer = make_layer()
    np.testing.assert_array_equal(
        Recomputed(layer)(X, padding_mask=MASK), layer(X, padding_mask=MASK)
    )


def test_integers_go_in_without_a_gradient():
    embedding = keras.layers.Embedding(7, 4)
    ids = np.array([[1, 2, 2], [6, 0, 2]])

    def gradient(layer):
        layer(ids)
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(tf.sin(layer(ids, training=True)))
        return tf.convert_to_tensor(tape.gradient(y, embedding.embeddings.value))

    np.testing.assert_allclose(
        gradient(Recomputed(embedding)), gradient(embedding), rtol=1e-6
    )
