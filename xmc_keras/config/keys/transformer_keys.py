"""The keys of a config that LightXML and one-vs-all read."""

import dataclasses

from xmc_keras.config.keys.config_key import config_key as _key


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerKeys:
    """A label table on a transformer, and its training."""

    table_dtype: str = _key(
        "Dtype of the label table; bfloat16 halves it and rounds stochastically.",
        "float32",
        choices=["float32", "bfloat16"],
    )
    head_start: str = _key(
        "Initial rows of labels and clusters: random, as published, or the centroids "
        "of their documents, which costs one pass over these, for encoders that were "
        "trained to separate texts, such as minilm.",
        "random",
        choices=["random", "centroids"],
    )
    shard_labels: bool = _key(
        "Deal the rows of the label table out over the workers of distribute: "
        "multi_worker, for tables too large for one device: their gradients are not "
        "exchanged.",
        False,
    )
    words: bool = _key(
        "Train a LightDXML over words, too, with a linear model, as xmc fit FOLDER "
        "chooses it, and join it to the transformer by weights fitted on the "
        "validation split.",
        False,
    )
    swa_start: int | None = _key(
        "Epochs before stochastic weight averaging (SWA) starts; null = no averaging.",
        None,
        minimum=0,
    )
    swa_every: int | None = _key(
        "Steps between two averages; null = 100, or an epoch if that is shorter.",
        None,
        minimum=1,
    )
