"""Memory, disk and step estimate of a LightDXML run."""

import dataclasses
import math

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.lightdxml.hnsw_rows import M, is_hnsw_faster
from xmc_keras.training.planning.memory_plan import CHUNK, MemoryPlan, fill_pool

BLOCK = 2**17  # as in xmc_keras/ops/tables.py, which would import TensorFlow
PRODUCTS = 2**24  # as in xmc_keras/lightdxml/shortlist_labels.py, for the same reason
# float32 arrays held at a time: (batch, pool) in a step, (batch, block) in a search.
POOL_ARRAYS, BLOCK_ARRAYS = 4, 3
# Of a joined linear model: weights per label that are kept, with those of its words,
# and labels near a document, as in xmc_keras/one_vs_all/negative_documents.py.
LINEAR_WEIGHTS, NEAREST = 150, 50


@dataclasses.dataclass(frozen=True)
class LightDXMLPlan(MemoryPlan):
    """Memory and disk estimate of a config of `system: lightdxml`, in bytes.

    A batch is B documents of w words; D documents have features of width d; the
    vocabulary has F words, and there are L labels, n of them in a shortlist.

    - `parameters`: the trained ones. Encoder: Fd and, with `residual`, d(d + 1), or the
      parameters of a transformer; classifier: L(d + 1); with `label_words` their scale
      and gains: F + 1.
    - `weights`: 4 per parameter; label embeddings, 4Ld; for words of labels 8 per word
      and 4 per label.
    - `moments`: 8 per parameter; with `partial_rowwise_adamw` 4 per parameter and 4 per
      row of the tables.
    - `matrix`: the TF-IDF rows of the documents, 8 per word.
    - `step`, added by a training step: *gradients* that are not rows; *activations*;
      *word rows* and *label rows*, the most that a batch gathers, and their gradient;
      *scores*, float32 arrays (B, label rows); *update*, see `LightXMLPlan`.
    - `phases`. *label embeddings*: features of all documents twice, 8Dd, and centroids,
      4Ld, or the embeddings three times. *shortlists*: features, embeddings three
      times, shortlists, 4Dn, and blocks of products or HNSW's graph, 4L(d + 2M).
      *linear model*, with `linear`: the rows in float64, 12 per word; labels near
      documents, 24 each; and its weights three times.
    - `linear`: the weights of a joined linear model, 8 each, about 150 per label, and 4
      per label and word of the vocabulary. They replace the words of labels in
      `best.keras` and exports.

    For other attributes see `LightXMLPlan`. Texts and labels need memory in addition.

    Args:
        config: a `Config`.
        num_labels: int.
        num_documents: optional int. Documents of the whole training part; without it
            everything that depends on it is left out.
        num_features: int. Words of the vocabulary; `max_features` counts if it is less.
        words: float. Mean number of features per document. Defaults to `75`.
        most_labels: int. Maximum number of labels per document. Defaults to `8`.
        encoder: optional `EncoderShape`, for encoders other than words.
        workers: int. Workers that a batch is split among. Defaults to `1`.
        shard_labels: bool. Not supported: every worker searches the whole table.

    Example:

    >>> config = Config(system="lightdxml", data="texts", encoder="words", refresh=2)
    >>> plan = LightDXMLPlan(config, 670_091, 490_449, num_features=135_909)
    >>> sum(plan.parameters.values()), plan.cycles
    (242560391, 2)
    """

    config: Config
    num_labels: int
    num_documents: int | None = None
    num_features: int = 0
    words: float = 75.0
    most_labels: int = 8
    encoder: EncoderShape | None = None
    workers: int = 1
    shard_labels: bool = False

    WIDTH = "num_neighbors", "neighbors", 1  # see `LightXMLPlan`
    averages = 0

    @property
    def vocabulary(self):
        """Number of features of the model."""
        return min(self.num_features, self.config.max_features or self.num_features)

    @property
    def dim(self):
        """Width of features and label embeddings."""
        if self.encoder is None:
            return self.config.embedding_dim
        return self.config.num_feature_layers * self.encoder.hidden_dim

    @property
    def parameters(self):
        trained = 0 if self.config.freeze_encoder else self._encoder
        return {
            "encoder": trained,
            "classifier": self.num_labels * (self.dim + 1),
            "label embeddings": 0,
            "words of labels": (self.vocabulary + 1) * bool(self.config.label_words),
        }

    @property
    def weights(self):
        sizes = {part: 4 * count for part, count in self.parameters.items()}
        sizes["encoder"] = 4 * self._encoder
        if self.encoder is None and self.config.residual:
            sizes["encoder"] += 4 * self.dim  # the direction in `SpectralDense`
        sizes["label embeddings"] = 4 * self.num_labels * self.dim
        if self.config.label_words:
            rows = 8 * self.config.label_words + 4
            sizes["words of labels"] += self.num_labels * rows
        return sizes

    @property
    def moments(self):
        sizes = {part: 8 * count for part, count in self.parameters.items()}
        if self.config.optimizer == "partial_rowwise_adamw":
            sizes["classifier"] -= 4 * self.num_labels * (self.dim - 1)
            if self.encoder is None and not self.config.freeze_encoder:
                sizes["encoder"] -= 4 * self.vocabulary * (self.dim - 1)
        return sizes

    @property
    def linear(self):
        if not self.config.linear:
            return 0
        weights = self.num_labels * min(LINEAR_WEIGHTS, self.vocabulary)
        return 8 * weights + 4 * (self.num_labels + self.vocabulary + 1)

    @property
    def matrix(self):
        return round(8 * self.words * self._documents) * (self.encoder is None)

    @property
    def step(self):
        config, dim, batch = self.config, self.dim, self.worker_batch
        word_rows, activations, dense = 0, 6 * batch * dim * 4, self.num_labels
        if self.encoder is None:
            word_rows = self._word_rows
            dense += dim * (dim + 1) * config.residual
        else:
            activations += batch * config.max_tokens * self.encoder.kept(config)
            dense += self.parameters["encoder"]
        pool, copies = self.pool(batch), 1 + (config.clip_norm is not None)
        update = 7 * min(CHUNK, max(pool, word_rows) * dim)
        if config.optimizer == "adamw":
            update = 3 * max(self.parameters.values())
        return {
            "gradients": 4 * copies * dense,
            "activations": activations,
            "word rows": (1 + copies) * 4 * dim * word_rows,
            "label rows": (1 + copies) * 4 * dim * pool,
            "scores": 4 * POOL_ARRAYS * batch * pool,
            "update": 4 * update,
            **self.rows_of_others,
        }

    @property
    def rows(self):
        batch, found = self.worker_batch, {}
        if self.encoder is None and not self.config.freeze_encoder:
            found["word rows"] = fill_pool(self._word_rows, self.vocabulary), self.dim
        elif self.encoder is not None and not self.config.freeze_encoder:
            found |= self._token_rows
        if self.config.label_words:
            read = fill_pool(round(batch * self.words), self.vocabulary)
            found["gains of words"] = read, 1
        pool = fill_pool(self.pool(batch), self.num_labels)
        # The bias of a label has an id of its own.
        return found | {"label rows": (pool, self.dim), "label biases": (pool, 1)}

    @property
    def dense(self):
        whole = bool(self.config.label_words)  # the scale
        if self.encoder is None:
            trained = self.config.residual and not self.config.freeze_encoder
            whole += self.dim * (self.dim + 1) * trained
        elif not self.config.freeze_encoder:
            whole += self.parameters["encoder"] - self._token_tables
        return {"gradients": whole}

    @property
    def prediction(self):
        config = self.config
        batch = math.ceil(config.predict_batch_size / self.workers)
        products = BLOCK_ARRAYS * 4 * batch * min(self.num_labels, BLOCK)
        candidates = max(config.num_neighbors, config.num_predictions)
        rows = 2 * 4 * batch * min(candidates, self.num_labels) * self.dim
        encoder = 0 if self.encoder is None else self.encoder.passing(config)
        encoder *= batch * config.max_tokens
        if config.candidates_from == "classifier":
            # A table that training changes row by row is copied to be read as a whole.
            products += 4 * self.num_labels * self.dim
        return max(products, rows, encoder)

    @property
    def saving(self):
        return 2 * max(self.weights.values())

    @property
    def phases(self):
        held = self.process + sum(self.weights.values()) + sum(self.moments.values())
        held += self.matrix
        features = 4 * self._documents * self.dim
        table = 4 * self.num_labels * self.dim
        step, prediction = held + sum(self.step.values()), held + self.prediction
        search = BLOCK_ARRAYS * 4 * PRODUCTS
        by_hnsw = {
            "auto": is_hnsw_faster(self._documents, self.num_labels),
            "hnsw": True,
        }
        if by_hnsw.get(self.config.search):
            search = table + 4 * self.num_labels * 2 * M
        linear = {}
        if self.config.linear:
            fitted = 1.5 * self.matrix + 24 * NEAREST * self._documents
            linear["linear model"] = round(held + fitted + 3 * self.linear)
        return {
            "label embeddings": held + features + table + max(features, 2 * table),
            "shortlists": held + features + 3 * table + self.shortlists + search,
            **linear,
            "training step": step,
            "prediction": prediction,
            "saving": max(step, prediction) + self.saving,
        }

    @property
    def shortlists(self):
        return 4 * self._documents * min(self.config.num_neighbors, self.num_labels)

    def needs(self, gpu=False):
        """Peak memory by place: of the `machine` and, with `gpu`, of the `GPU`."""
        peak = max(self.phases.values())
        if not gpu:
            return {"machine": peak}
        arrays = 4 * self.dim * (self._documents + self.num_labels)
        machine = self.process + self.matrix + self.shortlists + arrays + self.saving
        return {"machine": machine, "GPU": peak - self.process - self.matrix}

    @property
    def files(self):
        whole = sum(self.weights.values())
        return {
            "best.keras": self._model,
            "token cache": self.token_cache * (self.encoder is not None),
            "best.npz": whole,
            "checkpoint": whole + sum(self.moments.values()),
            "shortlists": self.shortlists,
        }

    @property
    def disk_peak(self):
        files = self.files
        checkpoint, shortlists = files["checkpoint"], files["shortlists"]
        # A checkpoint replaces the last one, which is larger than the weights of the
        # best epoch, or the model is saved at the end, or the shortlists of a cycle
        # replace those of the last one.
        written = max(checkpoint, self._trained)
        if self.cycles > 1:
            written = max(written, shortlists)
        kept = files["token cache"] + files["best.npz"]
        peak = kept + checkpoint + shortlists + written
        if self.config.linear:  # the joined model replaces the one without
            peak = max(peak, kept + checkpoint + self._trained + self._model)
        return peak

    @property
    def exports(self):
        whole = self._model
        half = whole - 4 * self.num_labels * self.dim  # of two tables
        half -= self.linear // 4
        return {
            "SavedModel float32": whole,
            "SavedModel float16": half,
            "and encoder float16": half - 2 * self._encoder,
        }

    @property
    def cycles(self):
        return math.ceil(self.config.epochs / self.config.refresh)

    @property
    def sizes(self):
        """Additional sizes, for JSON."""
        words = {"features": self.vocabulary, "words": round(self.words, 1)}
        return {"cycles": self.cycles, **words}

    @property
    def about(self):
        """The sizes that the plan is for, in words."""
        parts = [f"{self.num_labels:,} labels"]
        if self.encoder is None:
            parts.append(f"{self.vocabulary:,} features, {self.words:.0f} per document")
        if self.steps is not None:
            cycles = "1 cycle" if self.cycles == 1 else f"{self.cycles} cycles"
            parts.append(f"{self.steps:,} steps in {cycles}")
        return ", ".join(parts)

    @property
    def halved(self):
        """Keys that may be halved to save memory: `(value, smallest suggestion)`."""
        least = {"batch_size": 1, "predict_batch_size": 1, "num_neighbors": 16}
        words = self.encoder is None
        least |= {"embedding_dim": 32} if words else {"max_tokens": 32}
        keys = {key: (getattr(self.config, key), n) for key, n in least.items()}
        return keys | ({"max_features": (self.vocabulary, 1000)} if words else {})

    def pool(self, batch):
        """Maximum number of rows of the label table that a batch gathers."""
        config = self.config
        positives = self.most_labels
        if config.max_positives is not None and not config.shared_negatives:
            positives = min(positives, config.max_positives)
        rows = batch * (positives + min(config.num_neighbors, self.num_labels))
        return min(self.num_labels, rows + config.random_negatives)

    @property
    def _word_rows(self):
        if self.config.freeze_encoder:
            return 0
        return min(self.vocabulary, round(self.worker_batch * self.words))

    @property
    def _trained(self):
        words = 12 * self.vocabulary * (self.encoder is None)
        return sum(self.weights.values()) + words

    @property
    def _model(self):
        replaced = self.weights["words of labels"] * self.config.linear
        return self._trained - replaced + self.linear

    @property
    def _documents(self):
        return self.train_documents or 0

    @property
    def _encoder(self):
        if self.encoder is not None:
            return self.encoder.parameters
        dim = self.dim
        return self.vocabulary * dim + dim * (dim + 1) * self.config.residual
