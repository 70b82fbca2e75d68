"""Building a LightXML model and its optimizer from a config."""

from xmc_keras.encoders.multi_layer_cls_encoder import (
    MultiLayerCLSEncoder,
    build_encoder,
)
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.labels.label_clustering import choose_top_k, group_clusters
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.cluster_ranker import ClusterRanker
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.optimizers.row_loss_scale import RowLossScale
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.optimizers.warmup_decay import DECAYS, WarmupDecay

# Parts of variable paths, for the optimizer.
HEAD = "cluster_generator|dynamic_candidate_ranker|one_vs_all_head"
LABEL_TABLE = "label_embeddings|label_block"


def build_model(config, backbone, tokenizer, clusters, label_names):
    """Builds the LightXML model of a config, not yet compiled.

    With one label per cluster there is no ranker, and the generator keeps
    `num_predictions` clusters instead of `top_k`. With `levels` the generator is the
    coarsest of them.

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
    generator, levels, ranker = build_heads(
        clusters,
        None if one_label else config.top_k,
        config.num_predictions,
        one_label,
        levels=config.levels,
        level_top_k=config.level_top_k,
        initial_probability=config.initial_probability,
        bottleneck_dim=config.bottleneck_dim,
        bottleneck_activation=config.bottleneck_activation,
        table_dtype=config.table_dtype,
        sharded=config.shard_labels,
    )
    encoder = build_encoder(config, backbone)
    level_dims = None
    if config.level_layers is not None:
        dim = encoder.feature_dim // len(encoder.layer_numbers)
        level_dims = [dim * len(layers) for layers in config.level_layers]
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
        levels=levels,
        level_dims=level_dims,
        name="lightxml",
    )


def build_heads(
    clusters,
    top_k,
    num_predictions,
    one_label,
    initial_probability=0.01,
    levels=None,
    level_top_k=None,
    sharded=False,
    **of_ranker,
):
    """Builds the generator, the levels and the ranker of a LightXML.

    Args:
        clusters: int array (num_clusters, cluster_size), padded with `-1`.
        top_k: int, or None for the default, see `choose_top_k`; with `one_label`, by
            default the clusters for `num_predictions` labels.
        num_predictions: int.
        one_label: bool. Whether each cluster has one label, and no ranker is needed.
        initial_probability: float. Of all heads.
        levels: optional list of ints, increasing powers of 2. Numbers of clusters of
            coarser levels, see `group_clusters`.
        level_top_k: optional list of ints. Clusters kept at each of them. Defaults to
            `top_k`, or all of fewer.
        sharded: bool. Whether the rows of labels are dealt out over replicas, cluster
            by cluster; see `DynamicCandidateRanker`. Tables of levels stay whole.
            Defaults to `False`.
        **of_ranker: other arguments of `DynamicCandidateRanker`, here and at each
            level.

    Returns:
        `(generator, levels, ranker)`: a `ClusterGenerator`, a list of `ClusterRanker`,
        one for each of `levels`, and a `DynamicCandidateRanker` or None.

    Example:

    >>> generator, levels, ranker = build_heads([[0], [1]], None, 100, one_label=True)
    >>> generator.top_k, levels, ranker
    (2, [], None)
    """
    numbers = [*(levels or []), len(clusters)]
    if one_label and top_k is None:
        top_k = min(num_predictions, len(clusters))
    top_k = choose_top_k(top_k, len(clusters))
    kept = level_top_k or [min(top_k, number) for number in numbers[:-1]]
    coarse = [group_clusters(n, groups) for groups, n in zip(numbers, numbers[1:])]
    # Candidates of a generator never repeat.
    options = {"initial_probability": initial_probability, "mask_repeats": False}
    options |= of_ranker

    def build_ranker(num_rows, **more):
        return DynamicCandidateRanker(
            num_rows, name="dynamic_candidate_ranker", **options, **more
        )

    first, *rest = zip([*coarse, clusters], [*kept, top_k], strict=True)
    generator = ClusterGenerator(*first, initial_probability, name="cluster_generator")
    rankers = [
        ClusterRanker(table, most, build_ranker(len(table)), name=f"cluster_ranker_{i}")
        for i, (table, most) in enumerate(rest, 1)
    ]
    if one_label:
        return generator, rankers, None
    source = rankers[-1] if rankers else generator
    shard_rows = source.cluster_size if sharded else None
    return generator, rankers, build_ranker(source.num_rows, shard_rows=shard_rows)


def build_optimizer(config, total_steps):
    """Builds the AdamW optimizer of a config, with its rates, schedule and decay.

    One optimizer with one schedule: at every step the learning rate of the heads is a
    multiple of the encoder's. Biases and LayerNorm have no weight decay, nor has the
    label table of one-vs-all.

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
    {'cluster_generator|dynamic_candidate_ranker|one_vs_all_head': 50.0}
    """
    warmup_steps = round(config.warmup * total_steps)
    rate = config.learning_rate
    if warmup_steps or config.schedule != "constant":
        rate = WarmupDecay(rate, total_steps, warmup_steps, DECAYS[config.schedule])
    head_rate = config.head_learning_rate or config.learning_rate
    label_multiplier = None
    if config.label_learning_rate is not None:
        label_multiplier = config.label_learning_rate / config.learning_rate
    optimizer = default_optimizer(
        rate,
        head_rate / config.learning_rate,
        config.weight_decay,
        label_multiplier,
        rowwise=[] if config.optimizer == "adamw" else [LABEL_TABLE],
        partial=[LABEL_TABLE] if config.optimizer == "partial_rowwise_adamw" else [],
        sgd=[LABEL_TABLE] if config.optimizer == "rowwise_sgd" else [],
        momentum=config.momentum,
        global_clipnorm=config.clip_norm,
    )
    if config.precision == "mixed_float16":
        # Otherwise Keras wraps its own loss scaling around it, see `RowLossScale`.
        return RowLossScale(optimizer, name="loss_scale_optimizer")
    return optimizer


def default_optimizer(
    learning_rate=1e-4,
    head_multiplier=50.0,
    weight_decay=0.01,
    label_multiplier=None,
    rowwise=(LABEL_TABLE,),
    **options,
):
    """Builds the AdamW optimizer of `LightXML.from_preset`, and of every config.

    The heads learn faster than the encoder; biases and LayerNorm have no weight decay;
    only the rows of the label table that a step touched are updated.

    Args:
        learning_rate: float, or a schedule of Keras. Rate of the encoder.
        head_multiplier: float. The rate of generator and ranker is this multiple of
            it. Defaults to `50`, a rate of `5e-3`.
        weight_decay: float. Defaults to `0.01`.
        label_multiplier: optional float. The same for the label table; by default
            `head_multiplier`.
        rowwise, **options: see `RowwiseAdamW`.

    Example:

    >>> default_optimizer(2e-5, 100).multipliers
    {'cluster_generator|dynamic_candidate_ranker|one_vs_all_head': 100}
    """
    multipliers = {HEAD: head_multiplier}
    if label_multiplier is not None:
        # Before the heads' multiplier, because the first match wins.
        multipliers = {LABEL_TABLE: label_multiplier} | multipliers
    optimizer = RowwiseAdamW(
        learning_rate,
        weight_decay=weight_decay,
        multipliers=multipliers,
        rowwise=list(rowwise),
        **options,
    )
    optimizer.exclude_from_weight_decay(
        var_names=["bias", "gamma", "beta", "label_block"]
    )
    return optimizer
