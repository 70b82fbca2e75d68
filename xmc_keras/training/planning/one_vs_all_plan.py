"""Memory, disk and step estimate of a run of one-vs-all."""

import dataclasses
import math

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.planning.traffic import ID, NUMBER
from xmc_keras.training.planning.transformer_plan import TransformerPlan

# As in xmc_keras/one_vs_all/one_vs_all_head.py, which would import TensorFlow.
GRADIENT_BYTES = 2**26
# float32 arrays of a block's shape, and (batch, labels of a block), that a step holds.
BLOCK_ARRAYS, SCORE_ARRAYS = 4, 6


def check_block_labels(config, num_labels):
    """Raises `BadInput` for a block of more labels than there are.

    >>> check_block_labels(Config(system="one_vs_all", encoder="minilm"), 20)
    """
    if config.block_labels is not None and config.block_labels > num_labels:
        raise BadInput(
            f"Expected block_labels to be at most the number of labels, {num_labels}. "
            f"Received: {config.block_labels}.",
            remedy="Leave block_labels out.",
        )


@dataclasses.dataclass(frozen=True)
class OneVsAllPlan(TransformerPlan):
    """Memory and disk estimate of a config of `system: one_vs_all`, in bytes.

    For the encoder see `LightXMLPlan`. A label's row has d numbers of t bytes
    (`table_dtype`): the width of the feature, or `projection_dim`. A step has the
    gradient and the update of one block of labels in memory, not those of the table.

    - `weights`: 4 per parameter, t in the table.
    - `moments`: 8 per parameter; in the table 4, and 4 per row, with
      `partial_rowwise_adamw`, and with `rowwise_sgd` none, or 4 with `momentum`.
    - `step`: *Label block*: `BLOCK_ARRAYS` float32 arrays of its shape and
      `SCORE_ARRAYS` of (batch, labels of a block).

    Args:
        config: a `Config`.
        encoder: an `EncoderShape`.
        num_labels: int.
        num_documents: optional int. Documents of the whole training part, for `steps`.
        most_labels: int. Maximum number of labels per document. Defaults to `8`.
        workers: int. Workers that a batch is split among. Defaults to `1`.
        shard_labels: bool. Whether labels are dealt out over the workers. Then a worker
            scores its labels for the whole batch. Defaults to `False`.

    Example:

    >>> config = Config(system="one_vs_all", data="texts", num_feature_layers=1,
    ...     encoder="bert_base_en_uncased", optimizer="rowwise_sgd",
    ...     table_dtype="bfloat16")
    >>> shape = EncoderShape.named(config.encoder)
    >>> plan = OneVsAllPlan(config, shape, num_labels=670_091, num_documents=490_449)
    >>> round(plan.weights["label table"] / 1e9, 2), plan.moments["label table"]
    (1.03, 0)
    """

    config: Config
    encoder: EncoderShape
    num_labels: int
    num_documents: int | None = None
    most_labels: int = 8
    workers: int = 1
    shard_labels: bool = False

    @property
    def width(self):
        """Numbers of a label's row."""
        features = self.config.num_feature_layers * self.encoder.hidden_dim
        return self.config.projection_dim or features

    @property
    def block_labels(self):
        """Labels of a block."""
        usual = max(1, GRADIENT_BYTES // (4 * self.width))
        return min(self.config.block_labels or usual, self._share(self.num_labels))

    @property
    def parameters(self):
        features = self.config.num_feature_layers * self.encoder.hidden_dim
        return {
            "encoder": self.encoder.parameters,
            "projection": features * (self.config.projection_dim or 0),
            "label table": self.num_labels * self.width,
        }

    @property
    def weights(self):
        sizes = {part: 4 * count for part, count in self.parameters.items()}
        table = self._share(self.num_labels) * self.width
        return sizes | {"label table": table * self._table_bytes}

    @property
    def moments(self):
        sizes = {part: 8 * count for part, count in self.parameters.items()}
        labels = self._share(self.num_labels)
        table = labels * self.width
        sizes["label table"] = 8 * table
        if self.config.optimizer == "partial_rowwise_adamw":
            sizes["label table"] = 4 * (table + labels)
        elif self.config.optimizer == "rowwise_sgd":
            sizes["label table"] = 4 * table * (self.config.momentum > 0)
        return sizes

    @property
    def step(self):
        config = self.config
        dense = self.parameters["encoder"] + self.parameters["projection"]
        copies = 1 + (config.clip_norm is not None)
        copies += config.precision == "mixed_float16"
        scored = config.batch_size if self.shard_labels else self.worker_batch
        block = BLOCK_ARRAYS * self.width + SCORE_ARRAYS * scored
        kept = config.max_tokens * self.encoder.kept(config)
        return {
            "gradients": (4 * copies + 2 * (self._bytes < 4)) * dense,
            "activations": self.worker_batch * kept,
            "label block": 4 * self.block_labels * block,
            "update": 4 * self.encoder.vocabulary_size * self.encoder.hidden_dim,
            **self.rows_of_others,
        }

    @property
    def prediction(self):
        batch, tokens = self.config.predict_batch_size, self.config.max_tokens
        own = math.ceil(batch / self.workers)
        scored = batch if self.shard_labels else own
        scores = 4 * scored * self.block_labels * 2
        return max(own * tokens * self.encoder.passing(self.config), scores)

    @property
    def saving(self):
        tokens = self.encoder.vocabulary_size * self.encoder.hidden_dim
        block = self.block_labels * self.width
        return 2 * max(4 * tokens, self._table_bytes * block)

    @property
    def rows(self):
        return self._token_rows

    @property
    def dense(self):
        sizes = self.parameters
        whole = sizes["encoder"] + sizes["projection"] - self._token_tables
        if self.shard_labels:
            return {"gradients": whole}
        return {"gradients": whole, "label table": sizes["label table"]}

    @property
    def exchanged(self):
        if not self.shard_labels:
            return {}
        return {
            "features": (self.width * NUMBER, self.width * NUMBER),
            "candidates": (ID * self.label_columns, 0),
        }

    @property
    def exports(self):
        rest = sum(self.weights.values()) - self.weights["label table"]
        table = self.parameters["label table"]
        return {
            "SavedModel float32": rest + 4 * table,
            "SavedModel float16": rest + 2 * table,
            # plus one scale per row
            "SavedModel int8": rest + table + 4 * self.num_labels,
        }

    @property
    def sizes(self):
        """Additional sizes, for JSON."""
        return {"block_labels": self.block_labels}

    @property
    def about(self):
        """The sizes that the plan is for, in words."""
        words = f"{self.num_labels:,} labels in blocks of {self.block_labels:,}"
        return words + ("" if self.steps is None else f", {self.steps:,} steps")

    @property
    def halved(self):
        """Keys that may be halved to save memory: `(value, smallest suggestion)`."""
        least = {"batch_size": 1, "predict_batch_size": 1, "max_tokens": 32}
        found = {key: (getattr(self.config, key), n) for key, n in least.items()}
        return found | {
            "block_labels": (self.block_labels, 1),
            "projection_dim": (self.width, 32),
        }
