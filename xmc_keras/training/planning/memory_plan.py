"""The base class of memory plans."""

import dataclasses
import math

# Python, TensorFlow, Keras, graphs and allocators; and the compiler of XLA on a CPU.
PROCESS, XLA = 1_050_000_000, 400_000_000
# As in xmc_keras/optimizers/row_updates.py, which would import TensorFlow.
CHUNK = 2**20


class MemoryPlan:
    """Base class of `LightXMLPlan` and `LightDXMLPlan`, dataclasses with a `config`.

    Subclasses define `needs(gpu)`, a dictionary of bytes by place.

    Attributes:
        process: int. Constant bytes of the process.
        steps: int. Training steps of the run; None if the number of documents is
            unknown.
        train_documents: int. Documents to train on; None if unknown.

    Example:

    >>> @dataclasses.dataclass
    ... class Plan(MemoryPlan):
    ...     def needs(self, gpu):
    ...         return {"machine": 7}
    >>> Plan().fits({"machine": 7}), Plan().fits({"machine": 6})
    (True, False)
    """

    def changed(self, **changes):
        """The same plan for a config with other values."""
        config = dataclasses.replace(self.config, **changes)
        return dataclasses.replace(self, config=config)

    def fits(self, room):
        """Whether `needs` are within `room`, a dictionary of free bytes by place."""
        return all(n <= room[place] for place, n in self.needs("GPU" in room).items())

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
        if self.config.train_documents is not None:
            return self.config.train_documents
        if self.num_documents is None:
            return None
        return self.num_documents - self.config.validation_documents
