"""Memory, disk and step estimate of a LightXML run."""

import dataclasses
import math

from xmc_keras.config.config import Config
from xmc_keras.config.resolve_config import choose_level_top_k
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.labels.label_clustering import compute_cluster_shape
from xmc_keras.training.planning.memory_plan import CHUNK, fill_pool
from xmc_keras.training.planning.traffic import ID, NUMBER
from xmc_keras.training.planning.transformer_plan import TransformerPlan

# float32 arrays (batch, clusters) and (batch, pool) that a step holds at a time.
CLUSTER_ARRAYS, POOL_ARRAYS = 12, 4
TABLES = {"label table", "cluster tables"}


@dataclasses.dataclass(frozen=True)
class LightXMLPlan(TransformerPlan):
    """Memory and disk estimate of a config of `system: lightxml`, in bytes.

    A batch is B documents of T tokens; an encoder of width h, inner width i and n heads
    has features of width f; K clusters have at most s labels; a label embedding has b
    numbers of t bytes (`table_dtype`), and a step computes in numbers of c bytes.

    - `parameters`: encoder, up to the highest layer that is read; generator, K(f + 1);
      bottleneck, b(f + 1); label table. With `levels`, K is that of the coarsest, and
      each other level has a bottleneck, and a row in the *cluster tables* per cluster.
    - `weights`: 4 or t per parameter, and two int64 tables of the places of labels.
    - `moments`: 8 per parameter; for the label table 4 per parameter and 4 per row with
      `partial_rowwise_adamw`, none with `rowwise_sgd`.
    - `averages`: the SWA average, and the trained weights while the average is in use.
    - `step`, added by a training step. *Gradients*: 4 per parameter except the label
      table's, once more with `clip_norm` and with `mixed_float16`; in half precision
      the casts of these weights, 2 each. *Activations*: BT(h(8c + 2) + 2ic +
      nT(2c + 1)) per layer of BERT, which is 8 arrays of width h, 2 of width i, two of
      all attention scores, and a byte for each number that dropout may drop; one more
      layer for the backward pass, and the embeddings. If keras-nlp's own layers are
      trained, as for RoBERTa and, with `recompute`, for BERT, BT(h(18 + 6c) + 5ic +
      nT(2c + 1)); with `recompute` one layer alone, and the inputs of each. *Label
      rows*: the most that a batch gathers (`pool`, and `cluster_pool` of all levels)
      and as many in their gradient, bt each, bc more if they are cast, 4b more for a
      float32 gradient of a bfloat16 table. *Scores*: float32 arrays (B, K) and (B,
      pool). *Update*: a copy of the
      largest weight that is updated as a whole, for its decay, and 7 arrays of `CHUNK`
      numbers for label rows; with `adamw` three label tables. *Rows of all workers*:
      with several, the gradients of `rows` that all have, with their ids.
    - `prediction`, added by a validation batch: the arrays of one layer, or label rows
      and scores, whichever is more.
    - `saving`: NumPy and HDF5 each copy one weight at a time, at most the largest.
    - `process`: a constant, `PROCESS` and, with `jit_compile`, `XLA`.

    `phases` adds up what is in memory at a time, except texts and clustering. Estimates
    of a step were 0.91 to 1.10 times the memory measured on a CPU, with MiniLM and
    BERT-base, 4,096 to 670,091 labels and 8 to 256 tokens, in all precisions; `python
    -m pytest -m large tests/training/planning` measures six of them again. GPU runs
    have not been measured.

    Args:
        config: a `Config`.
        encoder: an `EncoderShape`.
        num_labels: int.
        num_documents: optional int. Documents of the whole training part, for `steps`.
        most_labels: int. Maximum number of labels per document. Defaults to `8`.
        workers: int. Workers that a batch is split among. Defaults to `1`.
        shard_labels: bool. Whether clusters, with their rows of the label table, are
            dealt out over the workers. Then a worker ranks the candidates of the whole
            batch that it has. Defaults to `False`.

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
    workers: int = 1
    shard_labels: bool = False

    @property
    def clusters(self):
        """`(num_clusters, cluster_size)`."""
        return compute_cluster_shape(self.num_labels, self.config.max_leaf)

    @property
    def levels(self):
        """Numbers of clusters of all levels, coarsest first."""
        return [*(self.config.levels or []), self.clusters[0]]

    @property
    def parameters(self):
        (clusters, size), width = self.clusters, self.config.bottleneck_dim
        first, *rest = self._feature_dims
        ranker = self.config.max_leaf > 1
        counts = {
            "encoder": self._encoders * self._used_encoder.parameters,
            "generator": (first + 1) * self.levels[0],
            "bottleneck": sum(features + 1 for features in rest) * width,
            "label table": clusters * size * width * ranker,
        }
        if self.config.levels:
            counts["cluster tables"] = sum(self.levels[1:]) * width
        return counts

    @property
    def weights(self):
        sizes = {part: 4 * count for part, count in self._held.items()}
        for part in TABLES & sizes.keys():
            sizes[part] = self._held[part] * self._table_bytes
        sizes["generator"] += self._constants
        return sizes

    @property
    def moments(self):
        sizes = {part: 8 * count for part, count in self._held.items()}
        for part in TABLES & sizes.keys():
            table = self._held[part]
            if self.config.optimizer == "partial_rowwise_adamw":
                sizes[part] = 4 * (table + table // self.config.bottleneck_dim)
            elif self.config.optimizer == "rowwise_sgd":
                sizes[part] = 0
        return sizes

    @property
    def step(self):
        config, c = self.config, self._bytes
        *whole, table = self._tables
        rows = sum(self.parameters.get(part, 0) for part in TABLES)
        dense = sum(self.parameters.values()) - rows
        copies = 1 + (config.clip_norm is not None)
        copies += config.precision == "mixed_float16"
        token = self._used_encoder.kept(config)
        pool = self._ranked_rows(config.batch_size, self.label_columns)
        of_levels = self.cluster_pool(self.worker_batch, self.label_columns)
        gathered = pool + of_levels
        total = 4 * (self._table_bytes == 2)
        update = max(whole) + 7 * min(CHUNK, pool * config.bottleneck_dim)
        if config.optimizer == "adamw":
            update = max(*whole, 3 * table)
        return {
            "gradients": (4 * copies + 2 * (c < 4)) * dense,
            "activations": self.worker_batch * config.max_tokens * token,
            "label rows": gathered * (2 * self._row + config.bottleneck_dim * total),
            "scores": self._scores(config.batch_size, pool, of_levels, self.candidates),
            "update": 4 * update,
            **self.rows_of_others,
        }

    @property
    def prediction(self):
        batch, tokens = self.config.predict_batch_size, self.config.max_tokens
        own = math.ceil(batch / self.workers)
        pool, of_levels = self._ranked_rows(batch), self.cluster_pool(own)
        width = self.candidates - self.label_columns
        label_side = (pool + of_levels) * self._row
        label_side += self._scores(batch, pool, of_levels, width)
        return max(own * tokens * self._used_encoder.passing(self.config), label_side)

    @property
    def saving(self):
        tokens, clusters, labels = self._tables
        return 2 * max(4 * tokens, 4 * clusters, self._table_bytes * labels)

    @property
    def files(self):
        sizes, config = super().files, self.config
        if config.negatives == "static":
            # The generator with its encoder: its best weights and its last ones.
            recall = 4 * (self.encoder.parameters + self.parameters["generator"])
            ids = 4 * (self.train_documents or 0) * (config.top_k or 0)
            sizes["static negatives"] = 2 * recall + ids
        return sizes

    @property
    def exports(self):
        whole = sum(self.weights.values())
        # Without a ranker the reduced precision applies to the generator's weights.
        part = "label table" if self.config.max_leaf > 1 else "generator"
        table = self.parameters[part]
        sizes = {"SavedModel float32": whole}
        rest = whole - table * (self._table_bytes if part == "label table" else 4)
        sizes["SavedModel float16"] = rest + 2 * table
        if part == "label table":  # plus one scale per row
            sizes["SavedModel int8"] = rest + table + 4 * math.prod(self.clusters)
        return sizes

    @property
    def sizes(self):
        """Additional sizes, for JSON."""
        return {"clusters": self.clusters}

    @property
    def about(self):
        """The sizes that the plan is for, in words."""
        clusters, size = self.clusters
        words = f"{self.num_labels:,} labels in {clusters:,} clusters of at most {size}"
        if self.config.levels:
            above = " and ".join(f"{number:,}" for number in self.config.levels)
            words += f", in {above} coarser ones"
        steps = "" if self.steps is None else f", {self.steps:,} training steps"
        return words + steps

    @property
    def halved(self):
        """Keys that may be halved to save memory: `(value, smallest suggestion)`."""
        least = {"batch_size": 1, "predict_batch_size": 1}
        least |= {"max_tokens": 32, "bottleneck_dim": 32}
        return {key: (getattr(self.config, key), n) for key, n in least.items()}

    @property
    def candidates(self):
        """Columns of the candidates of a training batch."""
        size = self.clusters[1] if self.config.max_leaf > 1 else 1
        return self.config.top_k * size + self.label_columns

    @property
    def rows(self):
        found, sizes = self._token_rows, (self.worker_batch, self.label_columns)
        if self.config.levels:
            rows = self.cluster_pool(*sizes)
            found["cluster rows"] = rows, self.config.bottleneck_dim
        if not self.shard_labels:
            found["label rows"] = self.pool(*sizes), self.config.bottleneck_dim
        return found

    @property
    def dense(self):
        rows = sum(self.parameters.get(part, 0) for part in TABLES)
        whole = sum(self.parameters.values()) - rows - self._token_tables
        return {"gradients": whole}

    @property
    def exchanged(self):
        if not self.shard_labels:
            return {}
        hidden = NUMBER * self.config.bottleneck_dim
        ids, logits = ID * self.candidates, NUMBER * self.candidates
        return {
            "features": (hidden, hidden),
            "candidates": (ids, 0),
            "logits": (logits, logits),  # their gradient is gathered
        }

    def pool(self, batch, label_columns=0):
        """Maximum number of label rows that a batch gathers, in whole clusters."""
        clusters, size = self.clusters
        most = min(clusters, batch * (self.config.top_k + label_columns))
        return most * size if self.config.max_leaf > 1 else 0

    def cluster_pool(self, batch, label_columns=0):
        """Maximum number of rows of the cluster tables that a batch gathers."""
        kept, total = choose_level_top_k(self.config), 0
        for most, above, number in zip(kept, self.levels, self.levels[1:]):
            candidates = most * -(-number // above) + label_columns
            total += fill_pool(batch * candidates, number)
        return total

    def _ranked_rows(self, batch, label_columns=0):
        """`pool` of a worker: of its documents, or its part of that of a batch."""
        if not self.shard_labels:
            return self.pool(math.ceil(batch / self.workers), label_columns)
        size = self.clusters[1]
        return self._share(self.pool(batch, label_columns) // size) * size

    @property
    def _encoders(self):
        return 2 if self.config.ranking_encoder == "own" else 1

    @property
    def _held(self):
        # Numbers of each part that a worker has.
        clusters, size = self.clusters
        rows = self._share(clusters) * size * (self.config.max_leaf > 1)
        return self.parameters | {"label table": rows * self.config.bottleneck_dim}

    @property
    def _feature_dims(self):
        # Of the generator, the levels and the ranker.
        layers, hidden = self.config.level_layers, self.encoder.hidden_dim
        if layers is not None:
            return [hidden * len(numbers) for numbers in layers]
        heads = len(self.levels) + (self.config.max_leaf > 1)
        return heads * [hidden * self.config.num_feature_layers]

    @property
    def _used_encoder(self):
        layers = self.config.level_layers
        if layers is None:
            return self.encoder
        return self.encoder._replace(num_layers=max(map(max, layers)))

    @property
    def _row(self):
        # A row of the label table, and its cast to another dtype.
        same = self.config.table_dtype in self.config.precision
        return self.config.bottleneck_dim * (
            self._table_bytes + self._bytes * (not same)
        )

    @property
    def _constants(self):
        tables = math.prod(self.clusters) + self.num_labels
        for number, below in zip(self.levels, self.levels[1:]):
            tables += number * -(-below // number) + below
        return 8 * tables

    @property
    def _tables(self):
        # The largest weights: a row per token, a column per cluster, a row per label.
        tokens = self.encoder.vocabulary_size * self.encoder.hidden_dim
        return tokens, self.parameters["generator"], self._held["label table"]

    def _scores(self, batch, pool, of_levels, candidates):
        own = math.ceil(batch / self.workers)
        arrays = own * (CLUSTER_ARRAYS * self.levels[0] + POOL_ARRAYS * of_levels)
        if not self.shard_labels:
            return 4 * (arrays + own * POOL_ARRAYS * pool)
        # Of the documents of all workers, and the logits of their candidates.
        return 4 * (arrays + batch * POOL_ARRAYS * (pool + candidates))
