"""LightXML's text representation: [CLS] states of a transformer's last layers."""

import importlib

import keras
from keras import ops

from xmc_keras.encoders.activations import set_activation
from xmc_keras.encoders.bert_features import compute_bert_features, is_plain_bert
from xmc_keras.encoders.fused.fused_dropout import FusedDropout
from xmc_keras.encoders.fused.fused_dropout import fuse_dropout as fuse_dropout_layers
from xmc_keras.encoders.pooling import LastToken, pool_mean
from xmc_keras.encoders.recomputed import Recomputed
from xmc_keras.ops.keras_internals import (
    call_output,
    count_calls,
    is_keras_nlp_xlnet,
)


@keras.saving.register_keras_serializable(package="xmc_keras")
class MultiLayerCLSEncoder(keras.layers.Layer):
    """Concatenates the [CLS] states of a backbone's last layers.

    The [CLS] state of each layer holds different evidence about a document, and a
    classifier over thousands of labels can use all of it. The input is the dictionary
    of a keras-nlp backbone: `token_ids` (batch, tokens) int32, `padding_mask` (batch,
    tokens) bool or int, and `segment_ids` (batch, tokens) int32, zeros if absent;
    other keys are ignored. The output is (batch, num_feature_layers * hidden_dim) in
    the layer's compute dtype, the last layer's state first; with `layers`, (batch,
    len(layers) * hidden_dim) in their order.

    For a BERT backbone the layer computes the feature by plain matrix products, in
    about 0.6 of the time that keras-nlp's layers take on a CPU, with the same weights
    and dropout seeds; see `compute_bert_features`.

    Args:
        backbone: a keras-nlp backbone with `transformer_layers`, for example
            `keras_nlp.models.BertBackbone`, or an `XLNetBackbone`. Its weights are
            shared, not copied. A layer that ALBERT calls several times counts that
            many times.
        num_feature_layers: int. Number of last layers to use. `1` is the plain
            [CLS] feature of the paper's ablation (figure 2). Defaults to `5`.
        dropout: float. Dropout rate of the feature during training. Defaults to
            `0.5`.
        cls_index: optional int. Index of the [CLS] token; `-1` is the last token that
            is not padding. `None`, the default, uses the index of the backbone: `-1`
            for XLNet, `0` for all others.
        recompute: bool. Whether the backward pass recomputes the activations of each
            transformer layer instead of keeping them: less memory for more time, see
            `Recomputed`. Defaults to `False`.
        activation: optional string, see `set_activation`. `None`, the default, keeps
            the backbone's activation; any other one is set in the backbone's layers.
        pooling: `"cls"`, or `"mean"`: the mean of all tokens' states instead of the
            [CLS] state, for encoders that were trained with it, such as
            sentence-transformers. Defaults to `"cls"`.
        fuse_dropout: bool. Whether to turn the dropout layers of the backbone into
            `FusedDropout`, in place, so that backbones other than BERT train in less
            time. Defaults to `False`.
        layers: optional list of ints. Layers to use instead of the last
            `num_feature_layers`, counted from 1, the first one, with repeats allowed.
            Layers after the highest of them are left out.
        **kwargs: other arguments of `keras.layers.Layer`.

    Example:

    >>> import numpy as np
    >>> import keras_nlp
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8, max_sequence_length=16)
    >>> encoder = MultiLayerCLSEncoder(backbone, num_feature_layers=2)
    >>> document = np.array([[2, 7, 9, 3]], "int32")
    >>> encoder({"token_ids": document, "padding_mask": document > 0}).shape
    TensorShape([1, 8])

    Reference:
        [LightXML](https://arxiv.org/abs/2101.03305), section "Text
        representation".
    """

    def __init__(
        self,
        backbone,
        num_feature_layers=5,
        dropout=0.5,
        cls_index=None,
        recompute=False,
        activation=None,
        pooling="cls",
        fuse_dropout=False,
        layers=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if pooling not in ("cls", "mean"):
            raise ValueError(
                f'Expected `pooling` to be "cls" or "mean". Received: pooling={pooling}'
            )
        if not getattr(backbone, "transformer_layers", None):
            raise ValueError(
                "Expected `backbone` to be a keras-nlp backbone with "
                f"`transformer_layers`. Received: backbone={backbone}"
            )
        if is_keras_nlp_xlnet(backbone):
            raise ValueError(
                "Expected `XLNetBackbone` of `xmc_keras.encoders.xlnet`. "
                "Received: keras-nlp's XLNet, which mixes the documents of a batch."
            )
        states = collect_layer_states(backbone)
        if layers is not None and not (
            layers and all(1 <= number <= len(states) for number in layers)
        ):
            raise ValueError(
                "Expected `layers` as numbers from 1 to the backbone's number of "
                f"layers. Received: layers={layers}, backbone with {len(states)} layers"
            )
        if layers is None and not 1 <= num_feature_layers <= len(states):
            raise ValueError(
                "Expected `num_feature_layers` between 1 and the backbone's "
                f"number of layers. Received: "
                f"num_feature_layers={num_feature_layers}, "
                f"backbone with {len(states)} layers"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"Expected `dropout` in [0, 1). Received: dropout={dropout}"
            )
        self.num_feature_layers = num_feature_layers
        # A tuple, because Keras tracks the items of a list.
        self.feature_layers = None if layers is None else tuple(layers)
        self.dropout = dropout
        if cls_index is None:
            cls_index = getattr(backbone, "cls_index", 0)
        self.cls_index = cls_index
        self.recompute = recompute
        self.pooling = pooling
        # A backbone's own config lacks the activation, so this layer saves it.
        self.activation = activation or getattr(
            backbone, "feedforward_activation", None
        )
        if self.activation is not None:
            set_activation(backbone, self.activation)
        self.fuse_dropout = fuse_dropout
        if fuse_dropout:
            fuse_dropout_layers(backbone)
        self.backbone_config = keras.saving.serialize_keras_object(backbone)

        # Only this model is tracked, not the backbone: the pooler is not part of the
        # feature, and its two weights would never receive a gradient.
        last = range(len(states), len(states) - num_feature_layers, -1)
        # Counted from 1, in the order of the feature.
        self.layer_numbers = tuple(layers or last)
        states = [states[number - 1] for number in self.layer_numbers]
        mask = backbone.input["padding_mask"]
        if pooling == "mean":
            cls_states = [pool_mean(s, mask) for s in states]
        elif cls_index == -1:
            mark = LastToken(name="last_token")(mask)
            cls_states = [pool_mean(s, mark) for s in states]
        else:
            cls_states = [s[:, cls_index, :] for s in states]
        self.cls_states = keras.Model(backbone.input, cls_states, name="cls_states")
        if recompute:
            layers = keras.tree.flatten(list(backbone.transformer_layers))
            self.cls_states = recompute_layers(self.cls_states, layers)
        self.feature_dropout = FusedDropout(
            dropout, dtype=self.dtype_policy, name="feature_dropout"
        )
        self.feature_dim = sum(int(s.shape[-1]) for s in cls_states)

    def build(self, inputs_shape):
        self.feature_dropout.build((None, self.feature_dim))
        self.built = True

    def call(self, inputs, training=None):
        # Keras also calls the layer on symbolic tensors, where speed does not matter.
        symbolic = any(isinstance(x, keras.KerasTensor) for x in inputs.values())
        if not symbolic and is_plain_bert(self, bool(training)):
            features = compute_bert_features(self, inputs, bool(training))
        else:
            features = self.layer_by_layer(inputs, training)
        return self.feature_dropout(features, training=training)

    def layer_by_layer(self, inputs, training=None):
        """The feature (batch, feature_dim) as keras-nlp's layers compute it."""
        inputs = dict(inputs)
        if "segment_ids" not in inputs:
            inputs["segment_ids"] = ops.zeros_like(inputs["token_ids"])
        inputs = {name: inputs[name] for name in self.cls_states.input}
        states = self.cls_states(inputs, training=training)
        states = states if isinstance(states, (list, tuple)) else [states]
        states = [ops.cast(s, self.compute_dtype) for s in states]
        return ops.concatenate(states, axis=-1)

    def compute_output_shape(self, inputs_shape):
        return (inputs_shape["token_ids"][0], self.feature_dim)

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "backbone": self.backbone_config,
                "num_feature_layers": self.num_feature_layers,
                "dropout": self.dropout,
                "cls_index": self.cls_index,
                "recompute": self.recompute,
                "activation": self.activation,
                "pooling": self.pooling,
                "fuse_dropout": self.fuse_dropout,
                "layers": self.feature_layers and list(self.feature_layers),
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if config["backbone"]["class_name"] == "XLNetBackbone":
            # Registers the backbone, and the tokenizer, which is deserialized later.
            importlib.import_module("xmc_keras.encoders.xlnet.xlnet_backbone")
            importlib.import_module("xmc_keras.text.xlnet_tokenizer")
        config["backbone"] = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**config)


def build_encoder(config, backbone):
    """Builds the encoder of a config on a backbone."""
    layers = None
    if config.level_layers is not None:
        layers = [number for level in config.level_layers for number in level]
    return MultiLayerCLSEncoder(
        backbone,
        config.num_feature_layers,
        config.feature_dropout,
        recompute=config.recompute,
        pooling=config.pooling,
        fuse_dropout=True,
        layers=layers,
        name="encoder",
    )


def collect_layer_states(backbone):
    """The outputs of a backbone's transformer layers, first layer first.

    ALBERT has groups of layers and calls each group several times.
    """
    states = []
    for group in backbone.transformer_layers:
        if not isinstance(group, (list, tuple)):
            states.append(group.output)
            continue
        for call in range(count_calls(group[0])):
            states += [call_output(layer, call) for layer in group]
    return [s[0] if isinstance(s, (list, tuple)) else s for s in states]


def recompute_layers(model, layers):
    """Wraps some layers of a functional model in `Recomputed`."""
    recomputed = {
        id(layer): Recomputed(layer, name=f"{layer.name}_recomputed")
        for layer in layers
    }

    def call(layer, *args, **kwargs):
        return recomputed.get(id(layer), layer)(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
