"""BERT document features by matrix products, faster than layer by layer."""

import math

import keras
import tensorflow as tf
from keras_nlp.layers import TransformerEncoder

from xmc_keras.encoders.fused.activation import fused_activation
from xmc_keras.encoders.fused.attention import (
    attention_weights,
    fused_attention_weights,
)
from xmc_keras.encoders.fused.fused_dropout import FusedDropout, count, fused_drop
from xmc_keras.encoders.fused.layer_norm import (
    add_and_normalize,
    fused_add_and_normalize,
    fused_normalize,
    normalize,
)
from xmc_keras.encoders.pooling import pool_mean
from xmc_keras.encoders.recomputed import Recomputed
from xmc_keras.ops.keras_internals import no_autocast, transformer_parts

MASKED = -1e9  # added to attention scores of padding
NO_DROPOUT = (0, 0), 0  # seed, and how many of 65,536 values are dropped


def compute_bert_features(encoder, inputs, training=False):
    """Computes what `encoder.cls_states` returns, concatenated, by matrix products.

    keras-nlp computes the states of all tokens in all layers. In the last layer only
    the [CLS] state is needed (unless `pooling` is `"mean"`), so the other tokens stop
    at their keys and values. All tokens of a batch form one matrix, so that a dense
    layer is one product and a bias, instead of `Einsum` and `Tensordot`, whose weight
    gradient is a sum over a matrix per document. In training softmax, activation,
    LayerNorm and dropout are XLA kernels; in prediction they are plain operations,
    which any server of an exported model supports. Weights and dropout seeds are those
    of the encoder's own layers.

    Args:
        encoder: a built `MultiLayerCLSEncoder` for which `is_plain_bert` holds.
        inputs: dictionary of `token_ids` (batch, tokens) int32, `padding_mask`
            (batch, tokens) bool or int, and optional `segment_ids` (batch, tokens)
            int32.
        training: bool. Whether dropout is active, except the dropout of the feature.

    Returns:
        Tensor (batch, feature_dim) in the encoder's compute dtype.
    """
    dtype = encoder.compute_dtype
    layers = {layer.name: layer for layer in encoder.cls_states.layers}
    transformers = _transformers(encoder)
    token_ids = tf.convert_to_tensor(inputs["token_ids"])
    mask = tf.cast(inputs["padding_mask"], tf.float32)
    mask = (1 - mask[:, None, None, :]) * MASKED  # (batch, 1, 1, tokens)
    batch, length = tf.unstack(tf.shape(token_ids))
    states = tf.gather(_table(layers["token_embedding"].embeddings), token_ids)
    states += _table(layers["position_embedding"].position_embeddings)[:length]
    segments = _table(layers["segment_embedding"].embeddings)
    if "segment_ids" in inputs:
        states += tf.gather(segments, inputs["segment_ids"])
    else:
        states += segments[0]
    dim = states.shape[-1]
    states = tf.reshape(states, [-1, dim])  # (batch * tokens, dim), as all states here
    norm = layers["embeddings_layer_norm"]
    tensors = states, norm.gamma, norm.beta
    if training:
        states = fused_normalize(*tensors, epsilon=norm.epsilon)
    else:
        states, _ = normalize(*tensors, norm.epsilon)
    states = tf.cast(states, dtype)
    seed, dropped = _next_seed(layers["embeddings_dropout"], training)
    if dropped:
        states = fused_drop(states, seed, dropped=dropped)
    by_cls, features = encoder.pooling == "cls", {}
    for i, layer in enumerate(transformers):
        last = i == len(transformers) - 1
        query = _by_document(states, batch)[:, 0] if last and by_cls else states
        parts = transformer_parts(layer)
        context = _attend(parts, layer.num_heads, query, states, mask, batch, training)
        states = _feed_forward(parts, layer.activation, query, context, training)
        if i + 1 in encoder.layer_numbers:
            by_document = _by_document(states, batch)  # (batch, tokens, dim)
            if by_cls:
                features[i + 1] = by_document[:, 0]
            else:
                features[i + 1] = pool_mean(by_document, inputs["padding_mask"])
    return tf.concat([features[n] for n in encoder.layer_numbers], axis=1)


def is_plain_bert(encoder, training=False):
    """Whether `compute_bert_features` can stand in for an encoder's layers."""
    backbone = getattr(encoder, "backbone_config", {})
    if backbone.get("class_name") != "BertBackbone" or encoder.cls_index != 0:
        return False
    layers = encoder.cls_states.layers
    if any(x.compute_dtype != encoder.compute_dtype for x in layers if x.weights):
        return False
    return not training or (
        not any(isinstance(layer, Recomputed) for layer in layers)
        and all(map(_is_plain_dropout, _dropouts(encoder)))
    )


def _transformers(encoder):
    layers = encoder.cls_states.layers
    layers = [x.layer if isinstance(x, Recomputed) else x for x in layers]
    return [x for x in layers if isinstance(x, TransformerEncoder)]


def _dropouts(encoder):
    for layer in encoder.cls_states.layers:
        if layer.name == "embeddings_dropout":
            yield layer
    for parts in map(transformer_parts, _transformers(encoder)):
        yield from (
            parts.weights_dropout,
            parts.attention_dropout,
            parts.feedforward_dropout,
        )


def _is_plain_dropout(layer):
    plain = type(layer) in (keras.layers.Dropout, FusedDropout)
    return plain and layer.noise_shape is None


def _table(variable):
    # With a mixed dtype policy Keras would cast the whole table to read a few rows.
    with no_autocast():
        return variable.value


def _by_document(states, batch):
    """Reshapes states (batch * tokens, dim) to (batch, tokens, dim)."""
    return tf.reshape(states, [batch, -1, states.shape[-1]])


def _dense(x, layer, shape):
    """Applies a dense layer, with or without heads, as a matrix of `shape`."""
    kernel = tf.reshape(tf.cast(layer.kernel, x.dtype), shape)
    bias = tf.reshape(tf.cast(layer.bias, x.dtype), [-1])
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def _attend(parts, heads, query, states, mask, batch, training):
    """Attention output (rows, dim) for the states `query` (rows, dim)."""
    dim = states.shape[-1]

    def by_heads(x, dense):
        x = _dense(x, dense, [dim, dim])
        x = tf.reshape(x, [batch, -1, heads, dim // heads])
        return tf.transpose(x, [0, 2, 1, 3])  # (batch, heads, tokens, dim / heads)

    queries = by_heads(query, parts.query)
    keys = by_heads(states, parts.key)
    values = by_heads(states, parts.value)
    scores = tf.matmul(queries, keys, transpose_b=True)
    seed, dropped = _next_seed(parts.weights_dropout, training)
    options = {"scale": 1 / math.sqrt(dim // heads), "dropped": dropped}
    if training:
        weights = fused_attention_weights(scores, mask, seed, **options)
    else:
        weights, _ = attention_weights(scores, mask, seed, **options)
    context = tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3])
    return _dense(tf.reshape(context, [-1, dim]), parts.output, [dim, dim])


def _feed_forward(parts, activation, states, context, training):
    """Computes the rest of a transformer layer after attention."""
    states = _add_and_normalize(
        parts.attention_norm, states, context, parts.attention_dropout, training
    )
    hidden = _dense(states, parts.wide, parts.wide.kernel.shape)
    hidden = fused_activation(hidden, activation) if training else activation(hidden)
    hidden = _dense(hidden, parts.narrow, parts.narrow.kernel.shape)
    return _add_and_normalize(
        parts.feedforward_norm, states, hidden, parts.feedforward_dropout, training
    )


def _add_and_normalize(norm, states, update, dropout, training):
    seed, dropped = _next_seed(dropout, training)
    tensors = states, update, norm.gamma, norm.beta, seed
    options = {"epsilon": norm.epsilon, "dropped": dropped}
    if training:
        return fused_add_and_normalize(*tensors, **options)
    return add_and_normalize(*tensors, **options)[0]


def _next_seed(dropout, training):
    """The next seed of a dropout layer, and how many of 65,536 values it drops."""
    if not training or not dropout.rate:
        return NO_DROPOUT
    return dropout.seed_generator.next(), count(dropout.rate)
