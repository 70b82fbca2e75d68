"""Calibrating a model right after training."""

import logging

import numpy as np

from xmc_keras.labels.label_bands import find_bands
from xmc_keras.progress import phase
from xmc_keras.runs.run_folder import MODELS

logger = logging.getLogger(__name__)


def calibrate_trained(task, trained, model):
    """Fits the `Calibration` of a model, and of the other models of a run.

    They are fitted to the answers for the validation documents, and saved with the
    models.

    Args:
        task: the `Task`.
        trained: `Trained`.
        model: the best model. It gets the calibration.

    Returns:
        int. Validation documents that it is fitted to; 0 if there are too few, and
        scores stay as they are.
    """
    # Imported late: TensorFlow takes seconds to import.
    from xmc_keras.evaluation.answer_documents import answer_documents
    from xmc_keras.recommending.calibration.calibration import FEWEST_RIGHT, Calibration

    if task.config.calibration == "none":
        return 0
    run = task.run
    models = {MODELS[0]: model}
    if run is not None:
        for name in MODELS[1:]:
            if (run.path / f"{name}.keras").exists():
                models[name] = run.load_model(name)
    counts = _count_labels(task, task.train.labels)
    if trained.found.get("learnt_validation"):
        counts += _count_labels(task, task.validation.labels)
    for name, each in models.items():
        each.calibration = None
        answers = trained.held_out
        if answers is None:
            with phase("Answering the validation documents"):
                answers = answer_documents(
                    each, task.validation, task.config, task.cache
                )
        each.calibration = Calibration.fit(answers, find_bands(counts))
        if each.calibration is None:
            logger.info(
                "Scores stay as they are: a calibration needs %d right labels for "
                "validation documents, and there are %d.",
                *(FEWEST_RIGHT, np.count_nonzero(answers.right)),
            )
            return 0
        if run is not None:
            run.save_model(each, name)
    logger.info("Calibrated on %d validation documents", len(task.validation))
    return len(task.validation)


def _count_labels(task, labels):
    counts = task.label_set.encode(labels).sum(axis=0)
    return np.asarray(counts).ravel()[: len(task.label_set)].astype(np.int64)
