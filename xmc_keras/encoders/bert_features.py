"""The states of a BERT that are features, with less work than layer by layer."""

import math

import tensorflow as tf
from keras.src.backend.common.variables import AutocastScope
from keras_nlp.layers import TransformerEncoder

from xmc_keras.encoders.fused.activation import fused_activation
from xmc_keras.encoders.fused.attention import (
    attention_weights,
    fused_attention_weights,
)
from xmc_keras.encoders.fused.fused_dropout import FusedDropout
from xmc_keras.encoders.fused.layer_norm import (
    add_and_normalize,
    fused_add_and_normalize,
    fused_normalize,
    normalize,
)
from xmc_keras.encoders.pooling import pool_mean
from xmc_keras.encoders.recomputed import Recomputed

MASKED = -1e9  # added to attention scores of padding
UNDROPPED = (0, 0), 0  # seed, and values of 65,536


def compute_bert_features(encoder, inputs, training=False):
    """What `encoder.cls_states` gives, concatenated, by products of plain matrices.

    keras-nlp computes the states of all tokens in all layers. Of the last layer only
    [CLS] is a feature (unless `pooling` is `"mean"`), so here keys and values are all
    that the other tokens need there. Documents are one matrix of tokens, to which each
    dense layer is one plain product with a bias, in place of `Einsum` and `Tensordot`,
    whose gradient by weights is a matrix for each document, summed. In training
    softmax, activation, LayerNorm and dropout are `fused`; in prediction they are
    plain operations, which any server of an exported model has. The weights are the
    encoder's own, and so are the seeds of its dropout.

    Args:
        encoder: a built `MultiLayerCLSEncoder` for which `is_plain_bert` holds.
        inputs: dictionary of `token_ids` (batch, tokens) int32, `padding_mask`
            (batch, tokens) bool or int, and optional `segment_ids` (batch, tokens)
            int32, as the encoder takes it.
        training: bool. Whether dropout, but not that of the feature, is active.

    Returns:
        Tensor (batch, feature_dim) of the encoder's compute dtype.
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
    states = _normalize(layers["embeddings_layer_norm"], states, training)
    states = tf.cast(states, dtype)
    states = layers["embeddings_dropout"](states, training=training)
    by_cls, features = encoder.pooling == "cls", []
    for i, layer in enumerate(transformers):
        last = i == len(transformers) - 1
        asking = _by_token(states, batch)[:, 0] if last and by_cls else states
        context = _attend(layer, asking, states, mask, batch, training)
        states = _feed_forward(layer, asking, context, training)
        if i >= len(transformers) - encoder.num_feature_layers:
            found = _by_token(states, batch)
            if by_cls:
                features.append(found[:, 0])
            else:
                features.append(pool_mean(found, inputs["padding_mask"]))
    return tf.concat(features[::-1], axis=1)


def is_plain_bert(encoder, training=False):
    """Whether `compute_bert_features` computes what a `MultiLayerCLSEncoder` does."""
    backbone = getattr(encoder, "backbone_config", {})
    if backbone.get("class_name") != "BertBackbone" or encoder.cls_index != 0:
        return False
    layers = encoder.cls_states.layers
    if any(x.compute_dtype != encoder.compute_dtype for x in layers if x.weights):
        return False
    dropouts = [x for layer in _transformers(encoder) for x in _dropouts(layer)]
    return not training or (
        not any(isinstance(layer, Recomputed) for layer in layers)
        and all(type(x) is FusedDropout and x.noise_shape is None for x in dropouts)
    )


def _transformers(encoder):
    layers = encoder.cls_states.layers
    layers = [x.layer if isinstance(x, Recomputed) else x for x in layers]
    return [x for x in layers if isinstance(x, TransformerEncoder)]


def _dropouts(layer):
    """Of attention weights, of what attention gives, and of the feed-forward part."""
    attention = layer._self_attention_layer._dropout_layer
    return attention, layer._self_attention_dropout, layer._feedforward_dropout


def _table(variable):
    # Where the dtype is mixed, Keras would cast the whole table for a few rows.
    with AutocastScope(None):
        return variable.value


def _by_token(states, batch):
    """States (batch, tokens, dim) from those of a matrix, of each document as many."""
    return tf.reshape(states, [batch, -1, states.shape[-1]])


def _dense(x, layer, shape):
    """A dense layer, or one by heads, as a product with a matrix of `shape`."""
    kernel = tf.reshape(tf.cast(layer.kernel, x.dtype), shape)
    bias = tf.reshape(tf.cast(layer.bias, x.dtype), [-1])
    return tf.nn.bias_add(tf.matmul(x, kernel), bias)


def _attend(layer, asking, states, mask, batch, training):
    """What `asking` (rows, dim), of each document as many, find in the states."""
    attention, heads = layer._self_attention_layer, layer.num_heads
    dim = states.shape[-1]

    def by_heads(x, dense):
        x = _dense(x, dense, [dim, dim])
        x = tf.reshape(x, [batch, -1, heads, dim // heads])
        return tf.transpose(x, [0, 2, 1, 3])  # (batch, heads, tokens, dim / heads)

    queries = by_heads(asking, attention._query_dense)
    keys = by_heads(states, attention._key_dense)
    values = by_heads(states, attention._value_dense)
    scores = tf.matmul(queries, keys, transpose_b=True)
    seed, dropped = _next_seed(attention._dropout_layer, training)
    named = {"scale": 1 / math.sqrt(dim // heads), "dropped": dropped}
    if training:
        weights = fused_attention_weights(scores, mask, seed, **named)
    else:
        weights, _ = attention_weights(scores, mask, seed, **named)
    found = tf.transpose(tf.matmul(weights, values), [0, 2, 1, 3])
    return _dense(tf.reshape(found, [-1, dim]), attention._output_dense, [dim, dim])


def _feed_forward(layer, states, context, training):
    """The rest of a transformer layer."""
    wide = layer._feedforward_intermediate_dense
    narrow = layer._feedforward_output_dense
    _, after_attention, after_dense = _dropouts(layer)
    norm = layer._self_attention_layer_norm
    states = _add_and_normalize(norm, states, context, after_attention, training)
    hidden = _dense(states, wide, wide.kernel.shape)
    if training:
        hidden = fused_activation(hidden, layer.activation)
    else:
        hidden = layer.activation(hidden)
    hidden = _dense(hidden, narrow, narrow.kernel.shape)
    norm = layer._feedforward_layer_norm
    return _add_and_normalize(norm, states, hidden, after_dense, training)


def _add_and_normalize(norm, states, more, dropout, training):
    seed, dropped = _next_seed(dropout, training)
    tensors = states, more, norm.gamma, norm.beta, seed
    named = {"epsilon": norm.epsilon, "dropped": dropped}
    return (
        fused_add_and_normalize(*tensors, **named)
        if training
        else add_and_normalize(*tensors, **named)[0]
    )


def _normalize(norm, states, training):
    tensors, epsilon = (states, norm.gamma, norm.beta), norm.epsilon
    if training:
        return fused_normalize(*tensors, epsilon=epsilon)
    return normalize(*tensors, epsilon)[0]


def _next_seed(dropout, training):
    """Seed of a dropout layer, and how many of 65,536 values it drops."""
    if not training or not dropout.rate:
        return UNDROPPED
    return dropout.seed_generator.next(), dropout.dropped
