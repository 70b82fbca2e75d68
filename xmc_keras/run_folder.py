"""The folder of a run."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.config_file import load_config, save_config
from xmc_keras.label_set import LabelSet

# What evaluation and prediction use unless told, the first that is there.
MODELS = ("best", "averaged")


class RunFolder:
    """Where a run keeps what it is made of and what came out.

    `config.yaml` (resolved), `label_names.txt`, `clusters.npy`, `label_counts.npz`
    (documents of each label in the training part), `best.keras` (best
    on the validation split), `averaged.keras` (where SWA is on), `history.csv`,
    `curves.png`, `tensorboard/`, `metrics.json`, and `checkpoint/` while the run
    is not finished. Every file is written beside its place and then renamed.

    Args:
        path: string or path.

    Example:

    >>> RunFolder("runs/quickstart").metrics_path.as_posix()
    'runs/quickstart/metrics.json'
    """

    def __init__(self, path):
        self.path = Path(path)
        self.config_path = self.path / "config.yaml"
        self.label_names_path = self.path / "label_names.txt"
        self.clusters_path = self.path / "clusters.npy"
        self.label_counts_path = self.path / "label_counts.npz"
        self.shortlist_path = self.path / "shortlist.npy"
        self.history_path = self.path / "history.csv"
        self.metrics_path = self.path / "metrics.json"
        self.checkpoint_path = self.path / "checkpoint"

    def check(self, config, resume=False, overwrite=False):
        """Raises BadInput if a run with `config` may not be put here."""
        if self.path.exists() and not self.path.is_dir():
            raise BadInput("Expected a folder. Received: a file.", self.path)
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.config_path.exists():
            raise BadInput(
                "Expected a run folder, with config.yaml in it. Received: a folder "
                "of something else. Choose another with --run.",
                self.path,
            )
        if overwrite:
            return
        if not resume:
            raise BadInput(
                "Expected no earlier run. Received: a run folder. Continue it with "
                "--resume, replace it with --overwrite, or choose another with --run.",
                self.path,
            )
        earlier = dataclasses.asdict(load_config(self.config_path))
        now = dataclasses.asdict(config)
        changed = [
            f"{key} was {earlier[key]}, is {now[key]}"
            for key in now
            if earlier[key] != now[key]
        ]
        if changed:
            raise BadInput(
                "Expected the config that the run was begun with. Received: "
                f"{'; '.join(changed)}. Start anew with --overwrite or choose "
                "another folder with --run.",
                self.config_path,
            )

    def begin(self, config, label_set, clusters, counts, num_documents):
        """Makes the folder anew, in place of an earlier run.

        Args:
            config: a `Config`.
            label_set: a `LabelSet`.
            clusters: int32 array (num_clusters, cluster_size).
            counts: array (num_labels,). Documents of each label in the whole
                training part, for propensities.
            num_documents: int. Documents in the whole training part.
        """
        part = self.path.with_name(f"{self.path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        label_set.save(part / self.label_names_path.name)
        np.save(part / self.clusters_path.name, clusters)
        np.savez(
            part / self.label_counts_path.name,
            counts=counts,
            num_documents=num_documents,
        )
        save_config(config, part / self.config_path.name)
        if self.path.exists():
            shutil.rmtree(self.path)
        os.replace(part, self.path)

    def config(self):
        """The config of the run that is here."""
        if not self.config_path.exists():
            raise BadInput(
                "Expected a run folder, with config.yaml in it. Received: none. "
                "Train one with trainers/fit.py.",
                self.path,
            )
        return load_config(self.config_path)

    def label_set(self):
        return LabelSet.load(self.label_names_path)

    def clusters(self):
        """The label clusters, (num_clusters, cluster_size) int32."""
        return self._load(self.clusters_path)

    def label_counts(self):
        """`(counts, num_documents)` of the whole training part, as in `begin`."""
        with self._load(self.label_counts_path) as saved:
            return saved["counts"], int(saved["num_documents"])

    def _load(self, path):
        try:
            return np.load(path)
        except (OSError, ValueError, EOFError) as error:
            raise BadInput(
                f"Expected an array of the run. Received: {error}. Start the run "
                "anew with --overwrite.",
                path,
            ) from None

    def save_model(self, model, name):
        """Saves the whole model as `<name>.keras`, without the optimizer's state."""
        part = self.path / f"{name}.part.keras"
        optimizer, model.optimizer = model.optimizer, None
        try:
            model.save(part)
        finally:
            model.optimizer = optimizer
        os.replace(part, self.path / f"{name}.keras")

    def load_model(self, name=None):
        """The run's model; `name` as in `save_model`, by default the best."""
        import keras

        import xmc_keras.lightxml  # noqa: F401 (registers the class)

        names = [name] if name else MODELS
        paths = [self.path / f"{n}.keras" for n in names]
        path = next((p for p in paths if p.exists()), None)
        if path is None:
            raise BadInput(
                f"Expected {' or '.join(p.name for p in paths)}. Received: a folder "
                "without. Train the run with trainers/fit.py, or continue it with "
                "--resume.",
                self.path,
            )
        try:
            return keras.models.load_model(path, compile=False)
        except Exception as error:  # zip, HDF5 and Keras raise all sorts
            reason = " ".join(str(error).split())[:300]
            raise BadInput(
                f"Expected a saved model. Received: a file that cannot be read "
                f"({reason}). Train the run anew.",
                path,
            ) from error

    def save_metrics(self, metrics):
        """Writes `metrics.json`."""
        part = self.metrics_path.with_suffix(".part.json")
        part.write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        os.replace(part, self.metrics_path)
