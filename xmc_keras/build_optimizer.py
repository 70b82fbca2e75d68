"""The optimizer of a config."""

from xmc_keras.build_model import HEAD
from xmc_keras.row_loss_scale import RowLossScale
from xmc_keras.rowwise_adamw import RowwiseAdamW
from xmc_keras.warmup_decay import WarmupDecay

LABEL_TABLE = "label_embeddings"


def build_optimizer(config, total_steps):
    """AdamW with the rates, schedule and decay that a config describes.

    One optimizer with one schedule: the head's rate is a multiple of the
    encoder's at every step. Biases and LayerNorm are not decayed.

    Args:
        config: a `Config`.
        total_steps: int. Steps of the whole run, for warm-up and decay.

    Returns:
        A `RowwiseAdamW`, within a `RowLossScale` for `precision: mixed_float16`. For
        `optimizer: adamw` every row of every table is updated in every step, as by
        the authors; for `rowwise_sgd` the label table has no moments.

    Example:

    >>> from xmc_keras.config import Config
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
        # Before the head's: the first that matches counts.
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
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if config.precision == "mixed_float16":
        # Keras would put its own around it, which see.
        return RowLossScale(optimizer, name="loss_scale_optimizer")
    return optimizer
