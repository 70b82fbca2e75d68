"""Building a LightXML model and its optimizer from a config."""

from xmc_keras.encoders.multi_layer_cls_encoder import (
    MultiLayerCLSEncoder,
    build_encoder,
)
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.labels.label_clustering import choose_top_k
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.optimizers.row_loss_scale import RowLossScale
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.optimizers.warmup_decay import WarmupDecay

# Parts of variable paths, for the optimizer.
HEAD = "cluster_generator|dynamic_candidate_ranker"
LABEL_TABLE = "label_embeddings"


def build_model(config, backbone, tokenizer, clusters, label_names):
    """Builds the LightXML model of a config, not yet compiled.

    With one label per cluster there is no ranker, and the generator keeps
    `num_predictions` clusters instead of `top_k`.

    Args:
        config: a `Config`.
        backbone, tokenizer: see `load_encoder`.
        clusters: int array (num_clusters, cluster_size), padded with `-1`.
        label_names: list of strings.

    Returns:
        A `LightXML`.

    Raises:
        ValueError: the config does not fit the backbone or the clusters.

    Example:

    >>> import keras_nlp
    >>> from xmc_keras.config.config import Config
    >>> config = Config(
    ...     data="texts", encoder="none", num_feature_layers=1, top_k=1)
    >>> backbone = keras_nlp.models.BertBackbone(
    ...     vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=4,
    ...     intermediate_dim=8, max_sequence_length=128)
    >>> build_model(config, backbone, None, [[0, 1]], ["a", "b"]).ranker.num_labels
    2
    """
    positions = getattr(backbone, "max_sequence_length", None)
    if positions is not None and config.max_tokens > positions:
        raise ValueError(
            f"Expected `max_tokens` to be at most the encoder's {positions} positions. "
            f"Received: max_tokens={config.max_tokens}"
        )
    one_label = config.max_leaf == 1
    top_k = choose_top_k(config.top_k, len(clusters))
    if one_label:
        top_k = min(config.num_predictions, len(clusters))
    generator = ClusterGenerator(
        clusters, top_k, config.initial_probability, name="cluster_generator"
    )
    ranker = None
    if not one_label:
        ranker = DynamicCandidateRanker(
            generator.num_rows,
            config.bottleneck_dim,
            bottleneck_activation=config.bottleneck_activation,
            initial_probability=config.initial_probability,
            mask_repeats=False,  # a generator's candidates never repeat
            table_dtype=config.table_dtype,
            name="dynamic_candidate_ranker",
        )
    encoder = build_encoder(config, backbone)
    if config.ranking_encoder == "own":
        copied = {**encoder.get_config(), "name": "ranking_encoder"}
        encoder = PairedEncoders(
            encoder, MultiLayerCLSEncoder.from_config(copied), name="encoders"
        )
    return LightXML(
        encoder,
        generator,
        ranker,
        tokenizer=tokenizer,
        max_tokens=config.max_tokens,
        label_names=label_names,
        loss_reduction=config.loss_reduction,
        score=config.score,
        num_predictions=config.num_predictions,
        name="lightxml",
    )


def build_optimizer(config, total_steps):
    """Builds the AdamW optimizer of a config, with its rates, schedule and decay.

    One optimizer with one schedule: at every step the learning rate of the heads is a
    multiple of the encoder's. Biases and LayerNorm have no weight decay.

    Args:
        config: a `Config`.
        total_steps: int. Steps of the whole run, for warm-up and decay.

    Returns:
        A `RowwiseAdamW`, wrapped in a `RowLossScale` for `precision: mixed_float16`.
        With `optimizer: adamw` every step updates every row of every table, as in the
        authors' code; with `rowwise_sgd` the label table has no moments.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(data="texts", encoder="minilm", learning_rate=1e-4)
    >>> build_optimizer(config, 100).multipliers
    {'cluster_generator|dynamic_candidate_ranker': 50.0}
    """
    warmup_steps = round(config.warmup * total_steps)
    if config.schedule == "linear":
        rate = WarmupDecay(config.learning_rate, total_steps, warmup_steps)
    elif warmup_steps:
        rate = WarmupDecay(config.learning_rate, total_steps, warmup_steps, decay=False)
    else:
        rate = config.learning_rate
    head_rate = config.head_learning_rate or config.learning_rate
    multipliers = {HEAD: head_rate / config.learning_rate}
    if config.label_learning_rate is not None:
        # Before the heads' multiplier, because the first match wins.
        table = {LABEL_TABLE: config.label_learning_rate / config.learning_rate}
        multipliers = table | multipliers
    optimizer = RowwiseAdamW(
        rate,
        weight_decay=config.weight_decay,
        multipliers=multipliers,
        rowwise=[] if config.optimizer == "adamw" else [LABEL_TABLE],
        partial=[LABEL_TABLE] if config.optimizer == "partial_rowwise_adamw" else [],
        sgd=[LABEL_TABLE] if config.optimizer == "rowwise_sgd" else [],
        global_clipnorm=config.clip_norm,
    )
    exclude_from_decay(optimizer)
    if config.precision == "mixed_float16":
        # Otherwise Keras wraps its own loss scaling around it, see `RowLossScale`.
        return RowLossScale(optimizer, name="loss_scale_optimizer")
    return optimizer


def default_optimizer(learning_rate=1e-4, head_learning_rate=5e-3, weight_decay=0.01):
    """Builds the AdamW optimizer of `LightXML.from_preset`.

    The heads learn faster than the encoder; biases and LayerNorm have no weight decay;
    only the rows of the label table that a step touched are updated.

    Args:
        learning_rate: float, or a schedule of Keras. Rate of the encoder.
        head_learning_rate: float. Rate of generator and ranker, at the first step of a
            schedule. Defaults to `5e-3`.
        weight_decay: float. Defaults to `0.01`.

    Example:

    >>> default_optimizer(2e-5, 1e-3).multipliers
    {'cluster_generator|dynamic_candidate_ranker': 50.0}
    """
    first = learning_rate(0) if callable(learning_rate) else learning_rate
    multiplier = round(head_learning_rate / float(first), 6)
    optimizer = RowwiseAdamW(
        learning_rate,
        weight_decay=weight_decay,
        multipliers={HEAD: multiplier},
        rowwise=[LABEL_TABLE],
    )
    exclude_from_decay(optimizer)
    return optimizer


def exclude_from_decay(optimizer):
    """Leaves biases and LayerNorm out of the weight decay of an optimizer."""
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
