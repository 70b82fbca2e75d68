"""Gradient checkpointing of a layer: activations are recomputed, not kept."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="xmc_keras")
class Recomputed(keras.layers.Layer):
    """Wraps a layer so that the backward pass recomputes its activations.

    Between the two passes of a training step only the layer's inputs are kept, not
    its intermediate values (attention, the wide middle of a feed-forward part): less
    memory for more time. Outputs and gradients are those of the layer, also with
    dropout: the recomputation draws the same random numbers. Outside training the
    wrapper just calls the layer. It saves nothing under XLA, which merges the two
    identical computations.

    Takes and returns what the layer does, all arguments but the first by name.

    Args:
        layer: a `keras.layers.Layer`. Its weights are shared, not copied.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> layer = keras.layers.Dense(3)
    >>> recomputed = Recomputed(layer)
    >>> x = np.ones((2, 4), "float32")
    >>> bool((recomputed(x, training=True) == layer(x)).numpy().all())
    True

    Reference: Chen et al., "Training deep nets with sublinear memory cost"
    (https://arxiv.org/abs/1604.06174). `keras.RematScope` does the same in Keras; its
    TensorFlow backend accepts no keyword arguments, and draws different dropout in the
    second pass.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, inputs_shape):
        if not self.layer.built:
            self.layer.build(inputs_shape)
        self.built = True

    def call(self, inputs, training=None, **kwargs):
        if not training:
            return self.layer(inputs, training=training, **kwargs)
        arguments = {"inputs": inputs, **kwargs}
        tensors = [tf.convert_to_tensor(x) for x in tf.nest.flatten(arguments)]
        # The states of the random generators before the first pass.
        states = [
            (variable, tf.identity(variable.value))
            for variable in self.layer.non_trainable_variables
        ]

        def compute(tensors):
            packed = tf.nest.pack_sequence_as(arguments, tensors)
            outputs = self.layer(packed.pop("inputs"), training=True, **packed)
            return tf.nest.flatten(outputs), outputs

        structure = None

        @tf.custom_gradient
        def checkpointed(*tensors):
            nonlocal structure
            outputs, structure = compute(tensors)

            def gradient(*of_outputs, variables=()):
                # Wait until the backward pass reaches this layer.
                with tf.control_dependencies(of_outputs):
                    again = [tf.identity(x) for x in tensors]
                    seeds = [(v, tf.identity(value)) for v, value in states]
                real = [x for x in again if x.dtype.is_floating]
                with keras.StatelessScope(seeds), tf.GradientTape() as tape:
                    tape.watch(real)
                    outputs, _ = compute(again)
                gradients = iter(
                    tape.gradient(outputs, [*real, *variables], of_outputs)
                )
                of_tensors = [
                    next(gradients) if x.dtype.is_floating else None for x in again
                ]
                return of_tensors, list(gradients)

            return outputs, gradient

        outputs = checkpointed(*tensors)
        return tf.nest.pack_sequence_as(structure, tf.nest.flatten(outputs))

    def compute_output_spec(self, inputs, training=None, **kwargs):
        return self.layer.compute_output_spec(inputs, **kwargs)

    def get_config(self):
        config = super().get_config()
        config["layer"] = keras.saving.serialize_keras_object(self.layer)
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["layer"] = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**config)
