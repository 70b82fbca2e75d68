"""Writing a run that is made of another one."""

import contextlib
import json
import logging
import os
import shutil

import numpy as np

from xmc_keras.files.atomic_files import check_writable, replace_folder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import record_digests
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.runs.changes.old_documents import (
    merge_added,
    read_added,
    read_changes,
    write_added,
)
from xmc_keras.runs.finished_runs import read_metrics

logger = logging.getLogger(__name__)

# Files that stay as they are.
COPIED = "config.yaml", "history.csv", "curves.png"


def check_target(run, target, change, resume=False, overwrite=False):
    """Whether a changed run is there already; raises `BadInput` if it must not be.

    Args:
        run: the `RunFolder` to change, which must be finished.
        target: the `RunFolder` to write.
        change: dictionary, see `write_changed_run`.
        resume, overwrite: bools. Whether a finished run of the same change is kept,
            and whether any other run is replaced.
    """
    read_metrics(run)
    check_writable(target.path, "for a run", "run")
    if target.path.resolve() == run.path.resolve():
        raise BadInput(
            "Expected another folder than that of the run, which stays as it is. "
            "Received: the same.",
            target.path,
            remedy="Choose another `run`.",
        )
    if not target.path.exists() or not any(target.path.iterdir()):
        return False
    if not (target.config_path.exists() and target.label_counts_path.exists()):
        raise BadInput(
            "Expected a run folder, with config.yaml and label_counts.npz in it. "
            "Received: another folder.",
            target.path,
            remedy="Choose another `run`.",
        )
    if overwrite:
        return False
    if resume:
        made = read_changes(target)[-1:] if target.finished else []
        if made == [describe_change(run, change)]:
            return True
        raise BadInput(
            "Expected the run that this command made. Received: another one.",
            target.path,
            remedy="Replace it with `overwrite=True`, or choose another `run`.",
        )
    raise BadInput(
        "Expected no earlier run. Received: a run folder.",
        target.path,
        remedy="Replace it with `overwrite=True`, or choose another `run`.",
    )


def describe_change(run, change):
    """A change as it is in `metrics.json`, with where the run before is."""
    return {"from": str(run.path.resolve()), **change}


def write_changed_run(run, target, model, change, arrays, added=(), metrics=None):
    """Writes a finished run with a changed model, atomically.

    It has the config, the history and the digest of the training part of the run that
    it is made of. `metrics.json` has its metrics, too, unless new ones are given;
    `changes`, a list of all changes since the training; and `unmeasured_changes`, how
    many of the last ones came after the metrics were measured.

    Args:
        run: the `RunFolder` to change, which stays as it is.
        target: the `RunFolder` to write; a run that is there is replaced.
        model: the changed model.
        change: dictionary for JSON: the command as `change`, and what it changed;
            `renamed` has new names of labels by those before.
        arrays: dictionary, the result of `change_counts`.
        added: list of pairs of a text and its labels, that the model has learnt.
        metrics: optional dictionary. Metrics of the changed model.
    """
    names, folder = model.label_set.names, target.path.resolve()
    renamed = change.get("renamed", {})
    earlier = [
        (text, [renamed.get(name, name) for name in own])
        for text, own in read_added(run)
    ]
    before = read_metrics(run)
    unmeasured = 0 if metrics else before.get("unmeasured_changes", 0) + 1
    metrics = {
        **before,
        **(metrics or {}),
        "changes": [*before.get("changes", []), describe_change(run, change)],
        "unmeasured_changes": unmeasured,
    }
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with explain_disk_errors(target.path):
            part.mkdir(parents=True)
            for name in COPIED:
                if (run.path / name).exists():
                    shutil.copyfile(run.path / name, part / name)
            model.label_set.save(part / run.label_names_path.name)
            transformer = getattr(model, "transformer", model)  # of a Hybrid
            if hasattr(transformer, "label_clusters"):
                clusters = np.array(transformer.label_clusters.clusters, np.int32)
                np.save(part / run.clusters_path.name, clusters)
            np.savez(part / run.label_counts_path.name, **arrays)
            record_digests(part, [file.name for file in part.iterdir()])
            written = type(run)(part)
            write_added(part, merge_added(earlier, added))
            written.save_model(model, "best")
            written.save_metrics(metrics)
            replace_folder(part, folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    logger.info("Saved %s with %d labels", target.path, len(names))


def change_counts(run, folder, places, num_added, more=None):
    """The arrays of `label_counts.npz` of a changed run.

    Args:
        run: the `RunFolder` to change.
        folder: path of the changed run.
        places: int array (labels,). The ids that the labels had, `-1` for new ones.
        num_added: int. Number of added documents.
        more: optional int array (labels,). Documents that each label has among these.
    """
    with np.load(run.label_counts_path) as file:
        arrays = dict(file)
    counts, places = arrays["counts"], np.asarray(places)
    found = np.where(places < 0, 0, counts[np.maximum(places, 0)])
    if more is not None:
        found = found + np.asarray(more, found.dtype).ravel()
    place = json.loads(str(arrays["data"])) if "data" in arrays else None
    if place is not None:
        with contextlib.suppress(BadInput):  # the data is not there now
            place["path"] = str(run.data_folder().resolve())
        place["from_run"] = os.path.relpath(place["path"], folder.resolve())
        arrays["data"] = json.dumps(place)
    documents = int(arrays["num_documents"]) + num_added
    return arrays | {"counts": found, "num_documents": documents}
