"""Joining a model of words to a trained transformer."""

import dataclasses
import logging
import time

import numpy as np

from xmc_keras.config.choose_config import choose_config
from xmc_keras.data.inputs import build_inputs
from xmc_keras.evaluation.ensemble.member_scores import MemberScores
from xmc_keras.labels.label_bands import find_bands
from xmc_keras.ops.distribution.workers import Workers
from xmc_keras.progress import phase
from xmc_keras.recommending.hybrid import Hybrid
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.memory import measure_free_memory
from xmc_keras.training.systems.fit_lightdxml import fit_lightdxml

logger = logging.getLogger(__name__)


def join_words(task, trained):
    """Trains a `LightDXML` over words, and joins it to a transformer as a `Hybrid`.

    The keys of the words are those of `choose_config`, with `linear`. The weights of
    all members, the transformer among them, are fitted on the validation documents, for
    each band of labels by frequency (`fit_band_weights`); then the linear model and
    the words of labels learn from these, too. The run of the words is the folder
    `words/` within the run's.

    Args:
        task: the `Task` of the transformer.
        trained: `Trained`. Its result.

    Returns:
        `Trained`, with the `Hybrid`, which is `best.keras` of the run.
    """
    begun = time.monotonic()
    run, model = task.run, trained.model
    if run is not None:
        model = run.load_model()
        if isinstance(model, Hybrid):  # interrupted after it was saved
            model = model.transformer
    with phase("Scoring the validation documents"):
        batches = build_inputs(
            model, task.validation.texts, None, task.config, task.cache
        )
        member = MemberScores(model, batches)
    folder = run and RunFolder(run.path / "words")
    continued = run is not None and folder.config_path.exists()
    if continued:
        config = folder.config()
    else:
        given = {"data": task.config.data, "seed": task.config.seed, "linear": True}
        logger.info("Training a model of words")
        config, _ = choose_config(task.everything, given, measure_free_memory())
    words = fit_lightdxml(
        dataclasses.replace(
            task,
            config=config,
            run=folder,
            continued=continued,
            callbacks=(),
            start_from=None,
            any_memory=True,  # hours of training are done
            transformer=member,
            workers=Workers(),
        )
    )
    hybrid = Hybrid(model, words.model, name="hybrid")
    hybrid(next(build_inputs(hybrid, task.validation.texts[:1]).batches()))
    learnt = task.train.labels
    if words.found["learnt_validation"]:
        learnt = [*learnt, *task.validation.labels]
    counts = np.asarray(task.label_set.encode(learnt).sum(axis=0)).ravel()
    of_bands = np.array(words.found["member_weights"])[:, 3]
    hybrid.label_weights.assign(of_bands[find_bands(counts[: len(task.label_set)])])
    if run is not None:
        run.save_model(hybrid, "best")
        folder.remove_checkpoint()
        folder.model_path().unlink()  # it is in the hybrid
    found = {
        **trained.found,
        "validation_of_transformer": trained.found["validation"],
        **{key: words.found[key] for key in ("validation", "learnt_validation")},
        "words": words.found,
    }
    trained.checkpoint.seconds += time.monotonic() - begun
    return dataclasses.replace(
        trained, model=hybrid, found=found, held_out=words.held_out
    )
