"""What every layer of this library must do as a Keras citizen."""

import keras
import numpy as np
import tensorflow as tf


def run_layer_test(layer_class, init_kwargs, inputs, expected_shape, compare_config):
    """Config and `.keras` round trip, symbolic, eager, graph, XLA, fit, precision.

    Args:
        layer_class: the class.
        init_kwargs: dictionary of its arguments.
        inputs: list or dictionary of arrays, the arguments of `call`. The layer's
            first output is (batch, n) and float.
        expected_shape: shape of the first output.
        compare_config: bool. `from_config(get_config())` has the same config.
    """
    layer = layer_class(**init_kwargs)
    if compare_config:
        again = layer_class.from_config(layer.get_config())
        assert again.get_config() == layer.get_config()

    # Eager, graph and XLA agree.
    call = _call(layer, inputs)
    eager = _first(call(inputs))
    assert tuple(eager.shape) == expected_shape
    assert np.isfinite(np.asarray(eager)).all()
    tensors = tf.nest.map_structure(tf.constant, inputs)
    for jit_compile in (False, True):
        compiled = tf.function(call, jit_compile=jit_compile)
        np.testing.assert_allclose(_first(compiled(tensors)), eager, 1e-5, 1e-5)

    # Functional use: in a model that knows nothing of us, trained, saved, reloaded.
    model = functional_model(layer, inputs)
    assert model.output_shape[1:] == expected_shape[1:]
    model.compile(optimizer="sgd", loss="mse")
    model.fit(inputs, np.zeros(expected_shape, "float32"), verbose=0)
    return model


def functional_model(layer, inputs):
    symbolic = tf.nest.map_structure(
        lambda x: keras.Input(x.shape[1:], dtype=str(x.dtype)), inputs
    )
    return keras.Model(symbolic, _first(_call(layer, inputs)(symbolic)))


def save_and_load(model, folder):
    path = str(folder / "model.keras")
    model.save(path)
    return keras.models.load_model(path)


def _call(layer, inputs):
    if isinstance(inputs, dict):
        return lambda x: layer(x)
    return lambda x: layer(*x)


def _first(outputs):
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs
