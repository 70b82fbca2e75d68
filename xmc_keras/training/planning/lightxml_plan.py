"""What a run needs of memory, disk and steps, told before it begins."""

import dataclasses
import math

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape, count_bytes
from xmc_keras.labels.label_clustering import compute_cluster_shape
from xmc_keras.training.planning.memory_plan import CHUNK, MemoryPlan

# float32 arrays (batch, clusters), and (batch, pool), that a step has at a time.
CLUSTER_ARRAYS, POOL_ARRAYS = 12, 4


@dataclasses.dataclass(frozen=True)
class LightXMLPlan(MemoryPlan):
    """What a run of a config takes: arithmetic, in bytes unless it says otherwise.

    A batch is B documents of T tokens; an encoder of width h, inner width i and n heads
    gives features of width f; K clusters have at most s labels; a label embedding has b
    numbers of t bytes (`table_dtype`), and the step computes in numbers of c bytes.

    - `parameters`: encoder; generator, K(f + 1); bottleneck, b(f + 1); label table.
    - `weights`: 4 or t a parameter, and two int64 tables of which label is where.
    - `moments`: 8 a parameter; of the label table under `partial_rowwise_adamw` 4, and
      4 a row, under `rowwise_sgd` none.
    - `averages`: SWA's, and the weights that wait for it to be used.
    - `step`, what a training step adds. *Gradients*: 4 a parameter but for the label
      table, once more with `clip_norm` and with `mixed_float16`; in half precision
      the casts of these weights, 2 each. *Activations*: BT(h(8c + 2) + 2ic +
      nT(2c + 1)) a layer of BERT, that is 8 arrays of width h, 2 of width i, two of all
      scores of attention, a byte for each number that dropout may drop; one layer more
      for the way back, and the embeddings. Where keras-nlp's own layers train, those
      of RoBERTa and, with `recompute`, of BERT, BT(h(18 + 6c) + 5ic + nT(2c + 1));
      with `recompute` one layer alone, and the inputs of each. *Label rows*: those that
      a batch gathers at most (`pool`) and as many of their gradient, bt each, bc more
      where they are cast, 4b more for a float32 gradient of a bfloat16 table. *Scores*:
      float32 arrays (B, K) and (B, pool). *Update*: the largest weight that is updated
      as a whole once more, for its decay, and 7 arrays of `CHUNK` numbers for label
      rows; under `adamw` three label tables.
    - `prediction`, what a batch of validation adds: what one layer has at a time, or
      label rows and scores, whichever is more.
    - `saving`: NumPy and HDF5 each copy one weight at a time, here the largest.
    - `process`: what depends on nothing, `PROCESS` and, with `jit_compile`, `XLA`.

    `phases` adds up what there is at a time, but for the texts and clustering. A step
    was 0.91 to 1.10 times what was measured on a CPU, with MiniLM and BERT-base, 4,096
    to 670,091 labels and 8 to 256 tokens, in all precisions; six are measured again by
    `python -m pytest -m large tests/test_plan.py`. No GPU was at hand.

    Args:
        config: a `Config`.
        encoder: an `EncoderShape`.
        num_labels: int.
        num_documents: optional int. Of the whole training part, for `steps`.
        most_labels: int. Labels that a document has at most. Defaults to `8`.

    Example:

    >>> config = Config(data="texts", encoder="bert_base_en_uncased", top_k=75)
    >>> shape = EncoderShape.named(config.encoder)
    >>> plan = LightXMLPlan(config, shape, num_labels=670_091, num_documents=490_449)
    >>> plan.clusters, plan.steps
    ((8192, 82), 45888)
    """

    config: Config
    encoder: EncoderShape
    num_labels: int
    num_documents: int | None = None
    most_labels: int = 8

    matrix = 0  # rows of TF-IDF are gone when training begins
    # What a step grows with, beside its documents: key of the config, its unit, least.
    WIDTH = "max_tokens", "tokens", 3

    @property
    def clusters(self):
        """`(num_clusters, cluster_size)`."""
        return compute_cluster_shape(self.num_labels, self.config.max_leaf)

    @property
    def parameters(self):
        (clusters, size), width = self.clusters, self.config.bottleneck_dim
        encoders = 2 if self.config.ranking_encoder == "own" else 1
        features = self.config.num_feature_layers * self.encoder.hidden_dim
        ranker = self.config.max_leaf > 1
        return {
            "encoder": encoders * self.encoder.parameters,
            "generator": (features + 1) * clusters,
            "bottleneck": (features + 1) * width * ranker,
            "label table": clusters * size * width * ranker,
        }

    @property
    def weights(self):
        found = {part: 4 * count for part, count in self.parameters.items()}
        found["label table"] = self.parameters["label table"] * self._table_bytes
        found["generator"] += self._constants
        return found

    @property
    def moments(self):
        found = {part: 8 * count for part, count in self.parameters.items()}
        table = self.parameters["label table"]
        if self.config.optimizer == "partial_rowwise_adamw":
            found["label table"] = 4 * (table + table // self.config.bottleneck_dim)
        elif self.config.optimizer == "rowwise_sgd":
            found["label table"] = 0
        return found

    @property
    def averages(self):
        averaged = self.config.swa_start is not None
        return 2 * averaged * (sum(self.weights.values()) - self._constants)

    @property
    def step(self):
        config, c = self.config, self._bytes
        *whole, table = self._tables
        dense = sum(self.parameters.values()) - table
        copies = 1 + (config.clip_norm is not None)
        copies += config.precision == "mixed_float16"
        token = self.encoder.kept(config)
        # As `DocumentBatches` makes them.
        columns = 8 * 2 ** max(0, math.ceil(math.log2(self.most_labels / 8)))
        pool = self.pool(config.batch_size, columns)
        total = 4 * (self._table_bytes == 2)
        update = max(whole) + 7 * min(CHUNK, pool * config.bottleneck_dim)
        if config.optimizer == "adamw":
            update = max(*whole, 3 * table)
        return {
            "gradients": (4 * copies + 2 * (c < 4)) * dense,
            "activations": config.batch_size * config.max_tokens * token,
            "label rows": pool * (2 * self._row + config.bottleneck_dim * total),
            "scores": self._scores(config.batch_size, pool),
            "update": 4 * update,
        }

    @property
    def prediction(self):
        batch, tokens = self.config.predict_batch_size, self.config.max_tokens
        pool = self.pool(batch)
        label_side = pool * self._row + self._scores(batch, pool)
        return max(batch * tokens * self.encoder.passing(self.config), label_side)

    @property
    def saving(self):
        tokens, clusters, labels = self._tables
        return 2 * max(4 * tokens, 4 * clusters, self._table_bytes * labels)

    @property
    def phases(self):
        # TensorFlow does not give back what a step took, so saving comes on top.
        held = self.process + sum(self.weights.values())
        held += sum(self.moments.values()) + self.averages
        step, prediction = held + sum(self.step.values()), held + self.prediction
        return {
            "training step": step,
            "prediction": prediction,
            "saving": max(step, prediction) + self.saving,
        }

    def needs(self, gpu=False):
        """The peak by place: of the `machine` and, if there is one, of the `GPU`."""
        phases = self.phases
        if not gpu:
            return {"machine": max(phases.values())}
        # What is copied and averaged is so by NumPy.
        at_rest = {"saving": self.averages + self.saving}
        on_gpu = [n - at_rest.get(k, self.averages) for k, n in phases.items()]
        machine = self.process + self.averages + self.saving
        return {"machine": machine, "GPU": max(on_gpu) - self.process}

    @property
    def disk(self):
        """Sizes of what a run and its export leave, without label names."""
        whole = sum(self.weights.values())
        # Without a ranker it is the generator's weights that are stored so.
        part = "label table" if self.config.max_leaf > 1 else "generator"
        table = self.parameters[part]
        found = {
            "best.keras": whole,
            "checkpoint": whole + sum(self.moments.values()) + self.averages // 2,
            "SavedModel float32": whole,
        }
        rest = whole - table * (self._table_bytes if part == "label table" else 4)
        found["SavedModel float16"] = rest + 2 * table
        if part == "label table":  # and a scale a row
            found["SavedModel int8"] = rest + table + 4 * math.prod(self.clusters)
        return found

    @property
    def sizes(self):
        """Further sizes, for JSON."""
        return {"clusters": self.clusters}

    @property
    def about(self):
        """What it is a plan of, in words."""
        clusters, size = self.clusters
        words = f"{self.num_labels:,} labels in {clusters:,} clusters of at most {size}"
        steps = "" if self.steps is None else f", {self.steps:,} training steps"
        return words + steps

    @property
    def halved(self):
        """Keys that may be halved to save memory: `(value, the least proposed)`."""
        least = {"batch_size": 1, "predict_batch_size": 1}
        least |= {"max_tokens": 32, "bottleneck_dim": 32}
        return {key: (getattr(self.config, key), n) for key, n in least.items()}

    def pool(self, batch, label_columns=0):
        """Rows of the label table that a batch gathers at most: whole clusters."""
        clusters, size = self.clusters
        most = min(clusters, batch * (self.config.top_k + label_columns))
        return most * size if self.config.max_leaf > 1 else 0

    @property
    def _bytes(self):
        return count_bytes(self.config)

    @property
    def _table_bytes(self):
        return 4 if self.config.table_dtype == "float32" else 2

    @property
    def _row(self):
        # A row of the label table, and its cast to another dtype.
        own = self.config.table_dtype in self.config.precision
        return self.config.bottleneck_dim * (
            self._table_bytes + self._bytes * (not own)
        )

    @property
    def _constants(self):
        return 8 * (math.prod(self.clusters) + self.num_labels)

    @property
    def _tables(self):
        # The largest weights: a row a token, a column a cluster, a row a label.
        tokens = self.encoder.vocabulary_size * self.encoder.hidden_dim
        return tokens, self.parameters["generator"], self.parameters["label table"]

    def _scores(self, batch, pool):
        return 4 * batch * (CLUSTER_ARRAYS * self.clusters[0] + POOL_ARRAYS * pool)
