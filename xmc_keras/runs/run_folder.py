"""The folder of a run."""

import dataclasses
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np

from xmc_keras.bad_input import BadInput
from xmc_keras.config.config_file import load_config, save_config
from xmc_keras.config.config_key import format_value
from xmc_keras.data.documents import documents_digest
from xmc_keras.files.atomic_files import atomic_write, check_writable, replace_folder
from xmc_keras.labels.label_set import LabelSet

# What evaluation and prediction use unless told, the first that is there.
MODELS = ("best", "averaged")


class RunFolder:
    """Where a run keeps what it is made of and what came out.

    `config.yaml` (resolved), `label_names.txt`, `clusters.npy` (of a LightXML),
    `label_counts.npz` (documents of each label in the training part, their features if
    they are no texts, and a digest of that part),
    `best.keras` (best on the validation split), `averaged.keras` (where SWA is on),
    `history.csv`, `curves.png`, `tensorboard/`, `checkpoint/` while the run is not
    finished, and `metrics.json` once it is. Every file is written beside its place
    and then renamed.

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

    @property
    def finished(self):
        """Boolean, whether the run that is here has come to its end."""
        return self.metrics_path.exists()

    def check(self, config, resume=False, overwrite=False):
        """Raises BadInput if a run with `config` may not be put here."""
        check_writable(self.path, "for a run", "--run")
        if self.path.exists() and not self.path.is_dir():
            raise BadInput("Expected a folder. Received: a file.", self.path)
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        # Both, because --overwrite deletes what is here.
        if not (self.config_path.exists() and self.label_counts_path.exists()):
            raise BadInput(
                "Expected a run folder, with config.yaml and label_counts.npz in it. "
                "Received: a folder of something else. Choose another with --run.",
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
        earlier = dataclasses.asdict(load_config(self.config_path, resolved=True))
        now = dataclasses.asdict(config)
        changed = [
            f"{key} was {format_value(earlier[key])}, is {format_value(now[key])}"
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

    def begin(self, config, label_set, clusters, training_part):
        """Makes the folder anew, in place of an earlier run.

        Args:
            config: a `Config`.
            label_set: a `LabelSet`.
            clusters: int32 array (num_clusters, cluster_size), or None.
            training_part: `Documents` or `FeatureDocuments`, the whole training
                part: its counts of labels are for propensities.
        """
        path = self.path.resolve()
        part = path.with_name(f"{path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir(parents=True)
            label_set.save(part / self.label_names_path.name)
            if clusters is not None:
                np.save(part / self.clusters_path.name, clusters)
            np.savez(
                part / self.label_counts_path.name,
                counts=np.asarray(label_set.encode(training_part.labels).sum(axis=0))[
                    0
                ],
                num_documents=len(training_part),
                num_features=getattr(training_part, "num_features", 0),
                digest=documents_digest(training_part),
            )
            save_config(config, part / self.config_path.name)
            replace_folder(part, path)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise BadInput(
                f"Expected to write a run folder. Received: {error.strerror}. Free "
                "disk space or choose another folder with --run.",
                self.path,
            ) from error

    def check_data(self, training_part):
        """Raises BadInput if the run was begun with another training part."""
        if self._label_counts("digest") != documents_digest(training_part):
            raise BadInput(
                "Expected the training part that the run was begun with. Received: "
                "other texts, labels or --skip-bad-lines. Restore the data, or "
                "start anew with --overwrite.",
                training_part.texts_path,
            )

    def config(self):
        """The config of the run that is here."""
        if not self.config_path.exists():
            raise BadInput(
                "Expected a run folder, with config.yaml in it. Received: none. "
                "Train one with trainers/fit.py.",
                self.path,
            )
        return load_config(self.config_path, resolved=True)

    def label_set(self):
        return LabelSet.load(self.label_names_path)

    def clusters(self):
        """The label clusters, (num_clusters, cluster_size) int32."""
        return self._load(self.clusters_path)

    def label_counts(self):
        """`(counts, num_documents)` of the whole training part, as in `begin`."""
        counts = self._label_counts("counts")
        return counts, int(self._label_counts("num_documents"))

    def digest(self):
        """Hex digest of the training part that the run was begun with."""
        return str(self._label_counts("digest"))

    def num_features(self):
        """Features of the documents of the training part; None where it is texts."""
        return int(self._label_counts("num_features", 0)) or None

    def _label_counts(self, name, default=None):
        return self._load(self.label_counts_path, name, default)

    def _load(self, path, name=None, default=None):
        try:
            # Opened here, because `np.load` leaves a damaged file open.
            with open(path, "rb") as file:
                found = np.load(file)
                if name is None:
                    return found
                if default is not None and name not in found:
                    return default
                return found[name]
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
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

    def remove_half_written(self):
        """Deletes files that a run was writing when it was killed."""
        for pattern in ("*.part", "*.part.keras"):
            for path in self.path.glob(pattern):
                if path.is_file():  # a checkpoint is a folder, with ways of its own
                    path.unlink()

    def load_model(self, name=None):
        """The run's model; `name` as in `save_model`, by default the best."""
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
        import keras

        # Registers the models and their layers.
        import xmc_keras.lightdxml.lightdxml
        import xmc_keras.lightxml.lightxml  # noqa: F401

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
        with atomic_write(self.metrics_path) as file:
            file.write(json.dumps(metrics, indent=2).encode() + b"\n")
