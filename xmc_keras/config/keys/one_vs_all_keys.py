"""The keys of a config that only one-vs-all reads."""

import dataclasses

from xmc_keras.config.keys.config_key import config_key as _key


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneVsAllKeys:
    """The head of all labels and its training.

    Reference: Renee (MLSys 2023, https://github.com/microsoft/renee) and ELMO (ICML
        2025, https://github.com/xmc-aalto/elmo).
    """

    projection_dim: int | None = _key(
        "Width that a feature is projected to, and of a label's row; null = no "
        "projection, as published.",
        None,
        minimum=1,
    )
    block_labels: int | None = _key(
        "Labels whose gradient is in memory at a time; null = as many as take 64 MiB.",
        None,
        minimum=1,
    )
    momentum: float = _key(
        "Momentum of the label table, with rowwise_sgd and float32 alone.",
        0.0,
        minimum=0,
        below=1,
    )
