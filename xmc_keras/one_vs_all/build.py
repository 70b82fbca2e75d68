"""Building an OneVsAll model from a config."""

from xmc_keras.encoders.multi_layer_cls_encoder import build_encoder
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead


def build_one_vs_all(config, backbone, tokenizer, label_names, num_labels=None):
    """Builds the OneVsAll model of a config, not yet compiled.

    Args:
        config: a `Config` of `system: one_vs_all`.
        backbone, tokenizer: see `load_encoder`.
        label_names: list of strings, or None.
        num_labels: optional int, without names.

    Returns:
        An `OneVsAll`.

    Raises:
        ValueError: the config does not fit the backbone or the labels.

    Example:

    >>> import keras_nlp
    >>> from xmc_keras.config.config import Config
    >>> config = Config(
    ...     system="one_vs_all", data="texts", encoder="none", num_feature_layers=1)
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8, max_sequence_length=128)
    >>> build_one_vs_all(config, backbone, None, ["a", "b"]).head.num_labels
    2
    """
    encoder = build_encoder(config, backbone)
    head = OneVsAllHead(
        num_labels or len(label_names),
        config.block_labels,
        config.projection_dim,
        config.initial_probability,
        config.table_dtype,
        sharded=config.shard_labels,
        name="one_vs_all_head",
    )
    return OneVsAll(
        encoder,
        head,
        tokenizer=tokenizer,
        max_tokens=config.max_tokens,
        label_names=label_names,
        num_predictions=config.num_predictions,
        name="one_vs_all",
    )
