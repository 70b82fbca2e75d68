"""The base class of plans of models on a transformer."""

import math

from xmc_keras.encoders.encoder_shape import count_bytes
from xmc_keras.training.planning.memory_plan import MemoryPlan


class TransformerPlan(MemoryPlan):
    """Base class of `LightXMLPlan` and `OneVsAllPlan`, dataclasses.

    Their fields include `encoder`, an `EncoderShape`, and `most_labels`. Subclasses
    define dictionaries of bytes by part, `weights`, `moments` and `step`, and the bytes
    `prediction` and `saving`.

    Attributes:
        phases: dictionary. Bytes that are in memory at a time, by phase.
    """

    matrix = 0  # the TF-IDF rows are freed before training starts
    # The size of a step, besides its documents: config key, unit, and minimum.
    WIDTH = "max_tokens", "tokens", 3

    # Weights that are constants, and no averages are taken of.
    _constants = 0

    @property
    def averages(self):
        averaged = self.config.swa_start is not None
        return 2 * averaged * (sum(self.weights.values()) - self._constants)

    @property
    def phases(self):
        # TensorFlow does not free the memory of a step, so saving is added to it.
        held = self.process + sum(self.weights.values())
        held += sum(self.moments.values()) + self.averages
        step, prediction = held + sum(self.step.values()), held + self.prediction
        return {
            "training step": step,
            "prediction": prediction,
            "saving": max(step, prediction) + self.saving,
        }

    def needs(self, gpu=False):
        """Peak memory by place: of the `machine` and, with `gpu`, of the `GPU`."""
        phases = self.phases
        if not gpu:
            return {"machine": max(phases.values())}
        # Averages and copies for saving are NumPy arrays, in the machine's memory.
        on_machine = {"saving": self.averages + self.saving}
        on_gpu = [n - on_machine.get(k, self.averages) for k, n in phases.items()]
        machine = self.process + self.averages + self.saving
        return {"machine": machine, "GPU": max(on_gpu) - self.process}

    @property
    def files(self):
        whole = sum(self.weights.values())
        sizes = {"best.keras": whole}
        if self.config.swa_start is not None:
            sizes["averaged.keras"] = whole
        sizes["token cache"] = self.token_cache
        moments = sum(self.moments.values())
        return sizes | {"checkpoint": whole + moments + self.averages // 2}

    @property
    def disk_peak(self):
        # While a checkpoint replaces the last one; there is no average yet.
        files = self.files
        averaged = files.get("averaged.keras", 0)
        return sum(files.values()) - averaged + files["checkpoint"]

    @property
    def label_columns(self):
        """Columns of `label_ids`, as `DocumentBatches` pads them."""
        return 8 * 2 ** max(0, math.ceil(math.log2(self.most_labels / 8)))

    @property
    def _bytes(self):
        return count_bytes(self.config)

    @property
    def _table_bytes(self):
        return 4 if self.config.table_dtype == "float32" else 2
