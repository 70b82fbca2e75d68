"""Activations of feed-forward layers, and setting them in a backbone."""

import math

import keras
import tensorflow as tf

# Values of `hidden_act` in Hugging Face configs, and their names in `ACTIVATIONS`.
FROM_HUGGING_FACE = {
    **{name: name for name in ("gelu", "relu", "silu")},
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), "gelu_tanh"),
    "swish": "silu",
}


def exact_gelu(x):
    """Exact gelu: x times the standard normal distribution function of x.

    Equals `keras.activations.gelu(x, approximate=False)`, but computes in float32.
    For bfloat16 Keras computes erfc in bfloat16, which TensorFlow evaluates one number
    at a time on a CPU.

    Args:
        x: float tensor.

    Returns:
        Tensor of the shape and dtype of `x`.

    Example:

    >>> [round(float(y), 4) for y in exact_gelu(tf.constant([-1.0, 0.0, 2.0]))]
    [-0.1587, 0.0, 1.9545]

    Reference: Hendrycks and Gimpel, "Gaussian error linear units"
    (https://arxiv.org/abs/1606.08415), equation 1.
    """
    x = tf.convert_to_tensor(x)
    wide = tf.cast(x, tf.float32)
    share = 0.5 + 0.5 * tf.math.erf(wide * math.sqrt(0.5))
    return tf.cast(wide * share, x.dtype)


def gelu_tanh(x):
    """Gelu approximated by tanh, as in Google's BERT; Hugging Face's gelu is exact."""
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {
    "gelu": exact_gelu,
    "gelu_tanh": gelu_tanh,
    "relu": keras.activations.relu,
    "silu": keras.activations.silu,
}


def set_activation(backbone, name):
    """Sets the feed-forward activation of all layers of a backbone.

    keras-nlp fixes one activation per kind of backbone: for BERT the form of gelu that
    Google's checkpoints were trained with. Hugging Face configs name theirs. The
    backbone's `get_config` does not include the activation.

    Args:
        backbone: a keras-nlp backbone with `transformer_layers`. Its attribute
            `feedforward_activation` is set to `name`.
        name: string. One of `ACTIVATIONS`.

    Raises:
        ValueError: `name` is not one of `ACTIVATIONS`.

    Example:

    >>> import keras_nlp
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=1, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8)
    >>> set_activation(backbone, "relu")
    >>> backbone.transformer_layers[0].activation.__name__
    'relu'
    """
    if name not in ACTIVATIONS:
        raise ValueError(
            f"Expected `activation` to be one of {', '.join(ACTIVATIONS)}. "
            f"Received: {name!r}"
        )
    for group in backbone.transformer_layers:  # in ALBERT each group is a list
        for layer in group if isinstance(group, (list, tuple)) else [group]:
            layer.activation = ACTIVATIONS[name]
            # keras-nlp's layers pass it to their dense layer when they are built.
            dense = getattr(layer, "_feedforward_intermediate_dense", None)
            if dense is not None and hasattr(dense, "activation"):
                dense.activation = ACTIVATIONS[name]
    backbone.feedforward_activation = name
