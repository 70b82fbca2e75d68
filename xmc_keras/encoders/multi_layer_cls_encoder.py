"""The text representation of LightXML."""

import importlib

import keras
from keras import ops

from xmc_keras.encoders.activations import set_activation
from xmc_keras.encoders.bert_features import compute_bert_features, is_plain_bert
from xmc_keras.encoders.fused.fused_dropout import FusedDropout, set_dropout
from xmc_keras.encoders.pooling import LastToken, pool_mean
from xmc_keras.encoders.recomputed import Recomputed


@keras.saving.register_keras_serializable(package="xmc_keras")
class MultiLayerCLSEncoder(keras.layers.Layer):
    """Concatenates the [CLS] states of a backbone's last layers.

    A deeper look at a document than the last layer alone: every layer's [CLS]
    state has gathered other evidence, and a classifier over thousands of labels
    can use all of it. The input is the dictionary that a keras-nlp backbone
    takes: `token_ids` (batch, tokens) int32, `padding_mask` (batch, tokens)
    bool or int, and `segment_ids` (batch, tokens) int32, zeros where absent;
    other keys are ignored. The output is
    (batch, num_feature_layers * hidden_dim) in the layer's compute dtype, the
    last layer's state first.

    Args:
        backbone: a keras-nlp backbone with `transformer_layers`, for example
            `keras_nlp.models.BertBackbone`, or an `XLNetBackbone`. Its weights are
            shared, not copied. A layer that ALBERT calls several times counts as
            often.
        num_feature_layers: int. Number of last layers to use. `1` is the plain
            [CLS] feature of the paper's ablation (figure 2). Defaults to `5`.
        dropout: float. Dropout rate on the feature while training. Defaults to
            `0.5`.
        cls_index: optional int. Place of the [CLS] token; `-1` is the last one that
            is not padding. `None`, the default, is what the backbone says: `-1` for
            XLNet, and `0` for all others.
        recompute: bool. Whether the gradient computes the inner values of each
            transformer layer a second time, instead of holding those of all layers:
            less memory for more time, see `Recomputed`. Defaults to `False`.
        activation: optional string, as of `set_activation`. `None`, the default, is
            what the backbone has.
        pooling: `"cls"`, or `"mean"`: the mean of all tokens' states of a layer in the
            place of its [CLS] state, for encoders that were trained so, as
            sentence-transformers are. Defaults to `"cls"`.
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
        if type(backbone).__module__.startswith("keras_hub.src.models.xlnet"):
            raise ValueError(
                "Expected `XLNetBackbone` of `xmc_keras.encoders.xlnet`. "
                "Received: that of keras-nlp, which mixes the documents of a batch."
            )
        states = collect_layer_states(backbone)
        if not 1 <= num_feature_layers <= len(states):
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
        self.dropout = dropout
        if cls_index is None:
            cls_index = getattr(backbone, "cls_index", 0)
        self.cls_index = cls_index
        self.recompute = recompute
        self.pooling = pooling
        # Keras's config of a backbone does not tell it, so that of this layer does.
        self.activation = activation or getattr(
            backbone, "feedforward_activation", None
        )
        if self.activation is not None:
            set_activation(backbone, self.activation)
        set_dropout(backbone)
        self.backbone_config = keras.saving.serialize_keras_object(backbone)

        # Only this model is tracked, not the backbone: its pooler is no part of
        # the feature and would be two weights that never get a gradient.
        states = states[: -num_feature_layers - 1 : -1]
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
        if training is True and is_plain_bert(self, training):
            features = compute_bert_features(self, inputs, training)
        else:
            features = self.layer_by_layer(inputs, training)
        return self.feature_dropout(features, training=training)

    def layer_by_layer(self, inputs, training=None):
        """The features (batch, feature_dim) as keras-nlp computes them."""
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
            }
        )
        return config

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if config["backbone"]["class_name"] == "XLNetBackbone":
            # Keras knows what has been imported: also the tokenizer, which comes after.
            importlib.import_module("xmc_keras.encoders.xlnet.xlnet_backbone")
            importlib.import_module("xmc_keras.text.xlnet_tokenizer")
        config["backbone"] = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**config)


def collect_layer_states(backbone):
    """What the transformer layers of a backbone give, first layer first.

    ALBERT has groups of layers, each of which is called several times.
    """
    states = []
    for group in backbone.transformer_layers:
        if not isinstance(group, (list, tuple)):
            states.append(group.output)
            continue
        for call in range(len(group[0]._inbound_nodes)):
            states += [layer._inbound_nodes[call].output_tensors for layer in group]
    return [s[0] if isinstance(s, (list, tuple)) else s for s in states]


def recompute_layers(model, layers):
    """The same functional model, of the same layers, some of them `Recomputed`."""
    recomputed = {
        id(layer): Recomputed(layer, name=f"{layer.name}_recomputed")
        for layer in layers
    }

    def call(layer, *args, **kwargs):
        return recomputed.get(id(layer), layer)(*args, **kwargs)

    return keras.models.clone_model(
        model, clone_function=lambda layer: layer, call_function=call
    )
