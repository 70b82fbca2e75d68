"""The keys of a config that only LightXML reads."""

import dataclasses

from xmc_keras.config.keys.config_key import config_key as _key
from xmc_keras.config.keys.shared_keys import SEEDS


@dataclasses.dataclass(frozen=True, kw_only=True)
class LightXMLKeys:
    """Label clusters, generator, ranker and their training.

    Reference: LightXML (https://arxiv.org/abs/2101.03305).
    """

    # Label clusters
    max_leaf: int = _key(
        "Maximum number of labels per cluster; 1 = a label per cluster and no ranker.",
        100,
        minimum=1,
    )
    top_k: int | None = _key(
        "Clusters kept, whose labels are ranked; null = 20, or all if there are fewer.",
        None,
        minimum=1,
    )
    levels: list | None = _key(
        "Numbers of clusters of coarser levels above the clusters of max_leaf, "
        "coarsest first, for a cascade: a level scores only clusters in those that the "
        "level above keeps. null = none, as in the paper.",
        None,
        form="powers",
    )
    level_top_k: list | None = _key(
        "Clusters kept at each of levels; null = top_k, or all if there are fewer.",
        None,
        form="numbers",
    )
    level_layers: list | None = _key(
        "Encoder layers, counted from 1, that make up the feature of each of levels, "
        "of the clusters of max_leaf and of the labels; null = all have the feature of "
        "num_feature_layers.",
        None,
        form="layers",
    )
    cluster_seed: int | None = _key(
        "Random seed of the clusters alone, for ensembles of several clusterings that "
        "train on the same documents; null = seed.",
        None,
        **SEEDS,
    )

    # Heads
    bottleneck_dim: int = _key("Width of a label embedding.", 300, minimum=1)
    bottleneck_activation: str | None = _key(
        "sigmoid as in the paper, null as in the published code.",
        None,
        choices=["sigmoid"],
    )
    loss_reduction: str = _key(
        "Cross-entropy over the clusters, and over the candidates, of a document: sum "
        "as in the paper, mean as in the published code.",
        "mean",
        choices=["sum", "mean"],
    )
    score: str = _key(
        "Score of a label: product of its cluster's probability and its own, as in the "
        "paper, or label: its own alone.",
        "product",
        choices=["product", "label"],
    )

    # Negatives
    negatives: str = _key(
        "dynamic = candidates from the generator as it is; static = from the "
        "generator as it was after recall_epochs (the paper's ablation).",
        "dynamic",
        choices=["dynamic", "static"],
    )
    recall_epochs: int = _key(
        "Epochs that train the generator alone, with static negatives.",
        1,
        minimum=1,
    )
    ranking_encoder: str = _key(
        "With static negatives. shared = generator and ranker continue with one "
        "encoder; own = the generator and its encoder stay fixed, and the ranker "
        "trains a copy of the encoder (two representations in the paper's table 5).",
        "shared",
        choices=["shared", "own"],
    )

    # Training
    label_learning_rate: float | None = _key(
        "Learning rate of the label table; null = head_learning_rate. Required for "
        "rowwise_sgd, where it must be much larger.",
        None,
        above=0,
    )
