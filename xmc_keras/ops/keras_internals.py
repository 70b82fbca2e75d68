"""Everything that is private in Keras and keras-nlp and used by this library.

Each function wraps what has no public name, so that a new version of either breaks
here alone. `tests/ops/test_keras_internals.py` looks up every name, and says which one
has moved.
"""

import os
import types

from keras.src.backend.common.variables import AutocastScope
from keras.src.saving import saving_lib

# What `RowwiseAdamW` overrides or calls in its base class, where no wrapper helps.
OPTIMIZER_HOOKS = (
    "_all_reduce_sum_gradients",
    "_apply_weight_decay",
    "_clip_gradients",
    "_get_variable_index",
    "_use_weight_decay",
)

# What `ReplicaSteps` overrides in `keras.Model`.
MODEL_HOOKS = ("_maybe_symbolic_build",)


def no_autocast():
    """A scope in which a mixed dtype policy does not cast the variables it reads."""
    return AutocastScope(None)


def write_keras_file(model, file):
    """Writes a model as `.keras` to an open binary file.

    `model.save` takes a path, and with little memory HDF5 writes to it: on a full disk
    that ends the process with a segmentation fault. A file without a name has HDF5
    write to memory, always.
    """
    with open(os.dup(file.fileno()), "wb") as nameless:
        saving_lib.save_model(model, nameless)


def loss_tracker(model):
    """The `keras.metrics.Mean` of a compiled model's loss."""
    return model._loss_tracker


def compiled_metrics(model):
    """The metrics given to `compile`, with `update_state` and `result`, or None."""
    return model._compile_metrics


def flatten_layers(layer):
    """A layer and all layers within it, at any depth."""
    return layer._flatten_layers()


def count_calls(layer):
    """How often a layer was called in functional models."""
    return len(layer._inbound_nodes)


def call_output(layer, call):
    """What a layer returned in the functional call of this number, from 0."""
    return layer._inbound_nodes[call].output_tensors


def is_keras_nlp_xlnet(backbone):
    """Whether a backbone is keras-nlp's own XLNet."""
    return type(backbone).__module__.startswith("keras_hub.src.models.xlnet")


def transformer_parts(layer):
    """The layers within a `keras_nlp.layers.TransformerEncoder`.

    Args:
        layer: a built `TransformerEncoder`.

    Returns:
        Namespace of the dense layers `query`, `key`, `value`, `output` of attention
        and `wide`, `narrow` of the feed-forward part; the dropout layers
        `weights_dropout`, `attention_dropout`, `feedforward_dropout`; the LayerNorms
        `attention_norm`, `feedforward_norm`.

    Example:

    >>> import keras, keras_nlp
    >>> layer = keras_nlp.layers.TransformerEncoder(intermediate_dim=8, num_heads=2)
    >>> states = layer(keras.ops.ones((1, 2, 4)))
    >>> tuple(transformer_parts(layer).wide.kernel.shape)
    (4, 8)
    """
    attention = layer._self_attention_layer
    return types.SimpleNamespace(
        query=attention._query_dense,
        key=attention._key_dense,
        value=attention._value_dense,
        output=attention._output_dense,
        weights_dropout=attention._dropout_layer,
        attention_dropout=layer._self_attention_dropout,
        attention_norm=layer._self_attention_layer_norm,
        wide=layer._feedforward_intermediate_dense,
        narrow=layer._feedforward_output_dense,
        feedforward_dropout=layer._feedforward_dropout,
        feedforward_norm=layer._feedforward_layer_norm,
    )


def sentence_piece(tokenizer):
    """TensorFlow Text's tokenizer within a SentencePiece tokenizer of keras-nlp."""
    return tokenizer._sentence_piece


def sentence_piece_resource(tokenizer):
    """The resource of its model, which a SavedModel has to track."""
    return tokenizer._sentence_piece._model_resource
