"""The activation of a feed-forward layer."""

import math

import keras
import tensorflow as tf


def exact_gelu(x):
    """x times the standard normal distribution function of x, in float32 within.

    What `keras.activations.gelu` is without its `approximate`. That computes erfc in
    bfloat16, which TensorFlow does one number at a time on a CPU.

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
    """Google's form of gelu, by tanh; Hugging Face's `gelu` is the one by erf."""
    return keras.activations.gelu(x, approximate=True)


ACTIVATIONS = {
    "gelu": exact_gelu,
    "gelu_tanh": gelu_tanh,
    "relu": keras.activations.relu,
    "silu": keras.activations.silu,
}
# What `hidden_act` of a Hugging Face config means.
FROM_HUGGING_FACE = {
    **{name: name for name in ("gelu", "relu", "silu")},
    **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh", "gelu_fast"), "gelu_tanh"),
    "swish": "silu",
}


def set_activation(backbone, name):
    """Gives all layers of a backbone an activation, which `get_config` does not tell.

    keras-nlp knows one for each kind of backbone: for BERT the form of gelu that
    Google's checkpoints were trained with. Those of Hugging Face say which it was.

    Args:
        backbone: a keras-nlp backbone with `transformer_layers`. Its attribute
            `feedforward_activation` is `name` thereafter.
        name: string. One of `ACTIVATIONS`.

    Raises:
        ValueError: there is no such activation.

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
    for group in backbone.transformer_layers:  # of ALBERT each a list
        for layer in group if isinstance(group, (list, tuple)) else [group]:
            layer.activation = ACTIVATIONS[name]
            # keras-nlp's layers hand it on when they are built.
            dense = getattr(layer, "_feedforward_intermediate_dense", None)
            if dense is not None and hasattr(dense, "activation"):
                dense.activation = ACTIVATIONS[name]
    backbone.feedforward_activation = name
