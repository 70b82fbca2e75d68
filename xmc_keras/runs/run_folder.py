"""The folder of a run: its config, models and metrics."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np

from xmc_keras.config.config_file import load_config, save_config
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.config.resolve_config import is_resolved
from xmc_keras.data.documents import documents_digest
from xmc_keras.data.label_texts import LABEL_TEXTS
from xmc_keras.files.atomic_files import check_writable, replace_folder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import (
    check_digest,
    digest_json,
    record_digests,
    write_checked,
)
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.path_lock import PathLock
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.find_data import describe_place, find_data

# The models of a run, the preferred one first.
MODELS = ("best", "averaged")
RESTORE = "Restore the file, or train the run again"
# Keys that may differ when a run is continued: data may have moved, which `check_data`
# compares, and other devices compute the same.
MAY_CHANGE = ("data", "distribute", "replicas", "shard_labels")
START = "start.json"  # metrics before training
STATE = "best.npz"  # the best epoch of a model that is finished after the last one


class RunFolder:
    """The folder of a run, with its config, models and metrics.

    It contains `config.yaml` (resolved), `label_names.txt`, `clusters.npy` (LightXML),
    `label_counts.npz` (document counts of the labels, number of features, a digest of
    the training part, and where the data was), `best.keras` (best on the validation
    split), `averaged.keras` (with SWA), `history.csv`, `curves.png`, `tensorboard/`,
    `checkpoint/`, `start.json` and `best.npz` (see `BestModel`) until the run is
    finished, `metrics.json` from then on, and `digests.json`, which the files are
    compared with when they are read. Every file is written to a temporary place and
    then renamed.

    Args:
        path: string or path.

    Attributes:
        lock: `PathLock`. Held by the program that writes the run.

    Example:

    >>> RunFolder("runs/quickstart").metrics_path.as_posix()
    'runs/quickstart/metrics.json'
    """

    def __init__(self, path):
        self.path = Path(path)
        self.lock = PathLock(self.path, "for a run", "run")
        self.config_path = self.path / "config.yaml"
        self.label_names_path = self.path / "label_names.txt"
        self.clusters_path = self.path / "clusters.npy"
        self.label_counts_path = self.path / "label_counts.npz"
        self.cluster_ids_path = self.path / "cluster_ids.npy"
        self.history_path = self.path / "history.csv"
        self.metrics_path = self.path / "metrics.json"
        self.checkpoint_path = self.path / "checkpoint"
        self.tensorboard_path = self.path / "tensorboard"
        self.phases_path = self.path / "phases.json"
        # Shared by the runs of a parent folder: keys contain all it depends on.
        self.cache_path = self.path.resolve().parent / "cache"

    @property
    def finished(self):
        """Whether the run is finished, a bool."""
        return self.metrics_path.exists()

    def check(self, config, resume=False, overwrite=False):
        """Raises `BadInput` if a run with `config` may not be written here."""
        check_writable(self.path, "for a run", "run")
        if self.path.exists() and not self.path.is_dir():
            raise BadInput("Expected a folder. Received: a file.", self.path)
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        # Checks both files, because `overwrite` deletes the folder.
        if not (self.config_path.exists() and self.label_counts_path.exists()):
            raise BadInput(
                "Expected a run folder, with config.yaml and label_counts.npz in it. "
                "Received: another folder.",
                self.path,
                remedy="Choose another `run`.",
            )
        if overwrite:
            return
        if not resume:
            raise BadInput(
                "Expected no earlier run. Received: a run folder.",
                self.path,
                remedy="Continue it with `resume=True`, replace it with "
                "`overwrite=True`, or choose another `run`.",
            )
        earlier = dataclasses.asdict(self.config())
        now = dataclasses.asdict(config)
        changed = [
            f"{key} was {format_value(earlier[key])}, is {format_value(now[key])}"
            for key in now
            if earlier[key] != now[key]
            and key not in MAY_CHANGE
            and not is_resolved(key, now[key], earlier[key])
        ]
        if changed:
            raise BadInput(
                "Expected the config that the run was started with. Received: "
                f"{'; '.join(changed)}.",
                self.config_path,
                remedy="Start again with `overwrite=True`, or choose another `run`.",
            )

    def begin(self, config, label_set, clusters, training_part):
        """Makes the folder, replacing an earlier run.

        Args:
            config: a `Config`.
            label_set: a `LabelSet`.
            clusters: int32 array (num_clusters, cluster_size), or None.
            training_part: `Documents` or `FeatureDocuments`. The whole training part,
                whose label counts define the propensities.
        """
        path = self.path.resolve()
        part = path.with_name(f"{path.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        label_matrix = label_set.encode(training_part.labels)
        label_counts = {
            "counts": np.asarray(label_matrix.sum(axis=0))[0],
            "num_documents": len(training_part),
            "num_features": getattr(training_part, "num_features", 0),
            "digest": documents_digest(training_part),
            "groups": digest_json(training_part.groups),
            "label_texts": digest_json(getattr(training_part, "label_texts", None)),
            "data": json.dumps(describe_place(config.data, path)),
        }
        try:
            with explain_disk_errors(self.path):
                part.mkdir(parents=True)
                label_set.save(part / self.label_names_path.name)
                if clusters is not None:
                    np.save(part / self.clusters_path.name, clusters)
                np.savez(part / self.label_counts_path.name, **label_counts)
                save_config(config, part / self.config_path.name)
                record_digests(part, [file.name for file in part.iterdir()])
                replace_folder(part, path)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise

    def check_data(self, training_part):
        """Raises `BadInput` if the run was started with another training part."""
        other, config = None, self.config()
        label_texts = getattr(training_part, "label_texts", None)
        if self._label_counts("digest") != documents_digest(training_part):
            other = "texts or labels"
        elif config.validation_by is not None:
            groups = digest_json(training_part.groups)
            other = "groups" if self._label_counts("groups") != groups else None
        if not other and config.label_documents and label_texts is not None:
            digest = digest_json(label_texts)
            other = None if self._label_counts("label_texts") == digest else LABEL_TEXTS
        if other:
            raise BadInput(
                "Expected the training part that the run was started with. Received: "
                f"other {other}.",
                training_part.texts_path,
                remedy="Restore the data and `skip_bad_lines=True`, or start again "
                "with `overwrite=True`.",
            )

    def config(self):
        """The `Config` of the run."""
        if not self.config_path.exists():
            raise BadInput(
                "Expected a run folder, with config.yaml in it. Received: none.",
                self.path,
                remedy="Train one with `fit`.",
            )
        # The model was built by it, so a change would not be true of the model.
        return self._checked(
            self.config_path, lambda path: load_config(path, resolved=True)
        )

    def data_folder(self, data=None):
        """Finds the data of the run, from any working directory.

        See `find_data` for where it is looked for.

        Args:
            data: optional string or path. The folder, if it is elsewhere now.

        Returns:
            The path of the folder.

        Raises:
            BadInput: there is no such folder. The message names all that were tried.
        """
        place = json.loads(str(self._label_counts("data", "null")))
        return find_data(self.path, self.config().data, place, data)

    def label_set(self):
        """The `LabelSet` of the run."""
        return self._checked(self.label_names_path, LabelSet.load)

    @staticmethod
    def _checked(path, read):
        """What `read(path)` returns, if the file is as it was written."""
        try:
            found = read(path)
        except BadInput as error:
            check_digest(path, RESTORE)
            remedy = error.remedy or f"{RESTORE}."
            raise BadInput(error.message, error.path, error.line, remedy) from error
        check_digest(path, RESTORE)
        return found

    def clusters(self):
        """The label clusters, (num_clusters, cluster_size) int32."""
        return self._load(self.clusters_path)

    def cluster_ids(self):
        """The static negatives, int32 (documents, n), see `fix_negatives`."""
        return self._load(self.cluster_ids_path)

    def label_counts(self):
        """`(counts, num_documents)` of the whole training part, see `begin`."""
        counts = self._label_counts("counts")
        return counts, int(self._label_counts("num_documents"))

    def digest(self):
        """Hex digest of the training part that the run was started with."""
        return str(self._label_counts("digest"))

    def num_features(self):
        """Number of features of the training documents; None if they are texts."""
        return int(self._label_counts("num_features", 0)) or None

    def _label_counts(self, name, default=None):
        return self._load(self.label_counts_path, name, default)

    def _load(self, path, name=None, default=None):
        try:
            # Opened here, because `np.load` leaves damaged files open.
            with open(path, "rb") as file:
                arrays = np.load(file)
                if name is not None:
                    known = default is None or name in arrays
                    arrays = arrays[name] if known else default
        except UNREADABLE as error:
            raise BadInput(
                f"Expected an array of the run. Received: {error}.",
                path,
                remedy="Start the run again with `overwrite=True`.",
            ) from None
        check_digest(path, RESTORE)
        return arrays

    def save_model(self, model, name):
        """Saves the whole model as `<name>.keras`, without the optimizer's state."""
        from xmc_keras.runs.model_file import save_model

        save_model(model, self.path / f"{name}.keras")

    def remove_half_written(self):
        """Deletes files that an interrupted run left half-written."""
        for pattern in ("*.part", "*.part.keras", ".tmp-*"):
            for path in self.path.glob(pattern):
                if path.is_file():
                    path.unlink()
                elif pattern == ".tmp-*":  # `RunCheckpoint` removes its own folders
                    shutil.rmtree(path, ignore_errors=True)

    def remove_checkpoint(self):
        """Deletes the checkpoint, also a half-written one, once the run is finished.

        And the files of the best epoch that only training needs.
        """
        for suffix in ("", ".old", ".part"):
            path = self.checkpoint_path.with_name(f"checkpoint{suffix}")
            shutil.rmtree(path, ignore_errors=True)
        for name in (START, STATE):
            (self.path / name).unlink(missing_ok=True)

    def model_path(self, name=None):
        """The path of a model, see `load_model`; raises `BadInput` if it is missing.

        Never that of another model, whose predictions are not those of `metrics.json`.
        """
        name = name or MODELS[0]
        path = self.path / f"{name}.keras"
        if not path.exists():
            received = "no model"
            remedy = "Train the run with `fit`, or continue it with `resume=True`."
            for other in MODELS:
                if (self.path / f"{other}.keras").exists():
                    received = f"only {other}.keras"
                    remedy = "Choose it with `model`, or train the run with `fit`."
            raise BadInput(
                f"Expected {path.name}. Received: {received}.",
                self.path,
                remedy=remedy,
            )
        return path

    def load_model(self, name=None, label_set=None):
        """Loads the run's model, the best one by default.

        Args:
            name: optional string, as in `save_model`.
            label_set: optional `LabelSet`. The labels that the model must have, read
                earlier. Defaults to those that the run has now.

        Raises:
            BadInput: there is no model, it cannot be read, or has other labels.
        """
        path = self.model_path(name)
        from xmc_keras.runs.model_file import load_model

        model = load_model(path)
        # Otherwise its label ids would be taken for other names.
        label_set = label_set or self.label_set()
        known = getattr(model, "label_set", None)
        if known and known.names != label_set.names:
            raise BadInput(
                f"Expected a model with the labels of {self.label_names_path.name}. "
                "Received: other labels, or the run was replaced meanwhile.",
                path,
                remedy="Try again, or train the run again.",
            )
        return model

    def classifier(self, name=None):
        """The model as a classifier, such as a `LightXMLClassifier`.

        Args:
            name: see `load_model`.
        """
        # Public names are imported on first use: `classifiers` imports this folder.
        import xmc_keras

        names = {
            "lightxml": "LightXMLClassifier",
            "lightdxml": "LightDXMLClassifier",
            "one_vs_all": "OneVsAllClassifier",
        }
        return getattr(xmc_keras, names[self.config().system]).from_run(self, name)

    def save_metrics(self, metrics):
        """Writes `metrics.json`."""
        with write_checked(self.metrics_path) as file:
            file.write(json.dumps(metrics, indent=2).encode() + b"\n")
