"""The base class of memory plans."""

import dataclasses
import math

from xmc_keras.config.resolve_config import resolve_config
from xmc_keras.training.planning.traffic import row_bytes

# Python, TensorFlow, Keras, graphs and allocators; and the compiler of XLA on a CPU.
PROCESS, XLA = 1_050_000_000, 400_000_000
# As in xmc_keras/optimizers/row_updates.py, which would import TensorFlow.
CHUNK = 2**20
MULTIPLE = 1024  # as in xmc_keras/ops/row_pools.py, for the same reason
TEMPORARY = ("best.npz", "checkpoint", "shortlists")  # files of an unfinished run


class MemoryPlan:
    """Base class of `LightXMLPlan` and `LightDXMLPlan`, dataclasses.

    Their fields include `config`, `num_labels` and `num_documents`.

    Subclasses define dictionaries of bytes: `needs(gpu)`, by place, and `files` and
    `exports`, by name; and `disk_peak`, the most bytes of the files.

    The sizes of the config that depend on the data are resolved, see `resolve_config`.

    With several `workers`, also a field, memory is that of one of them, which holds
    its part of a batch, and with `shard_labels` its part of the label table.

    Attributes:
        dense: dictionary. Numbers of gradients of whole weights, by part.
        rows: dictionary. Gradients of rows that a worker has for its documents, by
            part: `(rows, numbers of a row)`.
        exchanged: dictionary. With `shard_labels`, bytes of a document that workers
            gather, and sum up, by part: `(gathered, reduced)`.
        process: int. Constant bytes of the process.
        steps: int. Training steps of the run; None if the number of documents is
            unknown.
        train_documents: int. Documents to train on, and with `label_documents` one more
            for each label; None if unknown.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> @dataclasses.dataclass
    ... class Plan(MemoryPlan):
    ...     config: Config
    ...     num_labels: int
    ...     num_documents: int | None = None
    ...     def needs(self, gpu):
    ...         return {"machine": 7}
    >>> plan = Plan(Config(encoder="minilm"), num_labels=30)
    >>> plan.fits({"machine": 7}), plan.fits({"machine": 6}), plan.config.top_k
    (True, False, 1)
    """

    workers, shard_labels = 1, False
    _encoders = 1  # that are trained

    def __post_init__(self):
        config = resolve_config(self.config, self.num_documents, self.num_labels)
        object.__setattr__(self, "config", config)  # a plan may be frozen

    def changed(self, **changes):
        """The same plan for a config with other values."""
        config = dataclasses.replace(self.config, **changes)
        return dataclasses.replace(self, config=config)

    def fits(self, room):
        """Whether `needs` are within `room`, a dictionary of free bytes by place."""
        return all(n <= room[place] for place, n in self.needs("GPU" in room).items())

    @property
    def worker_batch(self):
        """Documents of a batch that a worker has."""
        return math.ceil(self.config.batch_size / self.workers)

    @property
    def rows_of_others(self):
        """Dictionary with the bytes of the `rows` of all workers, if there are some."""
        if self.workers == 1:
            return {}
        sizes = sum(n * row_bytes(width) for n, width in self.rows.values())
        return {"rows of all workers": self.workers * sizes}

    @property
    def exchanged(self):
        return {}

    @property
    def _token_tables(self):
        # Numbers of the tables of tokens and segments, whose gradients are rows.
        rows = self.encoder.vocabulary_size + self.encoder.num_segments
        return self._encoders * rows * self.encoder.hidden_dim

    @property
    def _token_rows(self):
        # A row per token, and one of its segment.
        tokens = self.worker_batch * self.config.max_tokens * self._encoders
        tables = 2 if self.encoder.num_segments else 1
        return {"token rows": (tables * tokens, self.encoder.hidden_dim)}

    def _share(self, number):
        """A worker's part of a number of clusters or rows, if they are dealt out."""
        return math.ceil(number / self.workers) if self.shard_labels else number

    @property
    def disk(self):
        """Sizes of the files of a run and of its exports, in bytes.

        *In training, at most* is their sum at its peak: a file is written next to the
        one that it replaces. *When it is finished* is what stays. Label names, logs and
        pictures are left out; the token cache is that of documents of `max_tokens`.
        Several workers write the same as one.
        """
        alone = self
        if self.workers > 1:
            alone = dataclasses.replace(self, workers=1, shard_labels=False)
        stay = [size for name, size in alone.files.items() if name not in TEMPORARY]
        return {
            **alone.files,
            "in training, at most": alone.disk_peak,
            "when it is finished": sum(stay),
            **alone.exports,
        }

    @property
    def token_cache(self):
        return 4 * self.config.max_tokens * (self.num_documents or 0)

    @property
    def process(self):
        return PROCESS + XLA * (self.config.jit_compile is True)

    @property
    def steps(self):
        if self.train_documents is None:
            return None
        batches = math.ceil(self.train_documents / self.config.batch_size)
        return self.config.epochs * batches

    @property
    def train_documents(self):
        config = self.config
        of_labels = config.label_documents * self.num_labels
        if config.train_documents is not None:
            return config.train_documents + of_labels
        if self.num_documents is None:
            return None
        return self.num_documents - config.validation_documents + of_labels


def fill_pool(rows, most):
    """Rows of a pool that is filled up to a multiple of 1,024, or to the whole table.

    >>> fill_pool(1500, 9000), fill_pool(1500, 1800)
    (2048, 1800)
    """
    return min(most, MULTIPLE * -(-rows // MULTIPLE))
