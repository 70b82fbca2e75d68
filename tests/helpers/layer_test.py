"""What every layer of this library must do as a Keras citizen."""

import keras
import numpy as np
import tensorflow as tf


def run_layer_test(make, inputs, expected_shapes, folder):
    """Round trips, symbolic, eager, graph, XLA, a training step, mixed precision.

    Args:
        make: function without arguments. Makes the layer, of the global policy.
        inputs: list of arrays (or dictionaries of arrays), the arguments of `call`.
            Nothing of the first output may be masked.
        expected_shapes: list of the outputs' shapes. The first is (batch, n), float.
        folder: path to save to.
    """
    layer = make()
    eager = outputs_of(layer, inputs)
    assert [o.shape for o in eager] == expected_shapes
    check_config(layer)
    check_summary(layer, inputs, folder)
    check_graph_and_xla(layer, inputs, eager)
    check_functional_model(layer, inputs, eager, folder)
    check_gradients(layer, inputs)
    check_fit(layer, inputs)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        half = make()
        outputs_of(half, inputs)  # builds it
        half.set_weights(layer.get_weights())
        assert all(w.dtype != half.compute_dtype for w in half.weights)
        first, expected = outputs_of(half, inputs)[0], outputs_of(layer, inputs)[0]
        np.testing.assert_allclose(first.astype("float32"), expected, 0.05, 0.05)
        check_fit(half, inputs, run_eagerly=True)


def outputs_of(layer, inputs):
    """What `layer(*inputs)` returns, as a list of arrays."""
    return [np.asarray(o) for o in as_list(layer(*inputs))]


def check_config(layer):
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(layer)
    assert again.get_config() == layer.get_config()


def check_graph_and_xla(layer, inputs, expected):
    """The same outputs from one trace for all sizes, also compiled by XLA."""
    signature = tf.nest.map_structure(
        lambda x: tf.TensorSpec((None, *free_shape(x)), x.dtype), inputs
    )
    for jit_compile in (False, True):
        call = tf.function(
            lambda *args: as_list(layer(*args)), signature, jit_compile=jit_compile
        )
        for batch in (2,) if jit_compile else (1, len(expected[0])):
            some = tf.nest.map_structure(lambda x: x[:batch], inputs)
            for output, value in zip(call(*some), expected):
                np.testing.assert_allclose(output, value[:batch], 1e-5, 1e-6)


def check_summary(layer, inputs, folder):
    """Shown by Keras in a subclassed and in a functional model, new and loaded."""
    model = Holder(layer)
    model(inputs)
    functional = functional_model(layer, inputs)
    for i, model in enumerate([model, functional]):
        model.save(folder / "shown.keras")
        for shown in (model, keras.models.load_model(folder / "shown.keras")):
            lines = []
            shown.summary(print_fn=lines.append, line_length=200, expand_nested=True)
            assert layer.name in "\n".join(lines)
            assert type(shown.get_layer(layer.name)) is type(layer)
            dot = keras.utils.model_to_dot(shown, show_shapes=True, expand_nested=True)
            assert layer.name in dot.to_string() or shown is not functional
    clone = keras.models.clone_model(functional)
    clone.set_weights(functional.get_weights())
    for output, value in zip(clone.outputs, functional.outputs, strict=True):
        assert (output.shape, output.dtype) == (value.shape, value.dtype)
    for output, value in zip(as_list(clone(inputs)), as_list(functional(inputs))):
        np.testing.assert_allclose(output, value, 1e-5, 1e-6)


@keras.saving.register_keras_serializable("tests")
class Holder(keras.Model):
    """A subclassed model of one layer."""

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, inputs_shape):
        if not self.layer.built:
            self.layer.build(*inputs_shape)
        self.built = True

    def call(self, inputs):
        return self.layer(*inputs)

    def get_config(self):
        config = super().get_config()
        return {**config, "layer": keras.saving.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def check_functional_model(layer, inputs, expected, folder):
    """In a model that knows nothing of us, as it is and after save and load."""
    model = functional_model(layer, inputs)
    for symbolic, value in zip(model.outputs, expected):
        assert symbolic.shape[0] is None
        assert keras.backend.standardize_dtype(value.dtype) == symbolic.dtype
        assert all(a in (None, b) for a, b in zip(symbolic.shape[1:], value.shape[1:]))
    path = folder / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    for outputs in (model(inputs), loaded.predict(inputs, verbose=0)):
        for output, value in zip(as_list(outputs), expected):
            np.testing.assert_allclose(output, value, 1e-5, 1e-6)


def check_gradients(layer, inputs):
    with tf.GradientTape() as tape:
        first = as_list(layer(*inputs))[0]
        loss = tf.reduce_sum(tf.square(first - 1.0))
    gradients = tape.gradient(loss, layer.trainable_weights)
    without = [w.path for w, g in zip(layer.weights, gradients) if g is None]
    assert layer.trainable_weights and not without


def check_fit(layer, inputs, run_eagerly=False):
    model = functional_model(layer, inputs)
    model = keras.Model(model.inputs, model.outputs[0])
    model.compile(optimizer="sgd", loss="mse", run_eagerly=run_eagerly)
    before = layer.get_weights()
    # Targets so near that no gradient overflows float16 at the first loss scale.
    target = outputs_of(layer, inputs)[0].astype("float32") + 0.1
    history = model.fit(tf.nest.flatten(inputs), target, verbose=0).history
    assert np.isfinite(history["loss"][0])
    changed = [np.any(a != b) for a, b in zip(before, layer.get_weights())]
    assert any(changed)
    assert all(np.isfinite(w).all() for w in layer.get_weights())


def functional_model(layer, inputs):
    symbolic = tf.nest.map_structure(
        lambda x: keras.Input(free_shape(x), dtype=str(x.dtype)), inputs
    )
    return keras.Model(symbolic, layer(*symbolic))


def free_shape(x):
    """Shape without batch: a feature's width is known, a row of ids has any."""
    return x.shape[1:] if x.dtype.kind == "f" else (None,) * (x.ndim - 1)


def as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
