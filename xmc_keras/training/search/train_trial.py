"""Training one trial of a search, in a process of its own."""

import shutil

from xmc_keras.data.splits import read_part
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.training.callbacks.diverged import Diverged
from xmc_keras.training.fit import fit
from xmc_keras.training.search.trial_study import TrialStudy

# What a pruned trial leaves in its folder.
RECORD = ("config.yaml", "history.csv", "digests.json")


def train_trial(folder, number, skip_bad_lines=False):
    """Trains a trial, or continues it, and notes its value in the study.

    It is a run in `folder/trial-<number>`, by `fit` without a test part. Its value is
    P@5 in percent on the validation split. A trial that is pruned, or diverges, keeps
    its history but no model.

    Args:
        folder: string or path. The folder of the search.
        number: int.
        skip_bad_lines: see `read_part`.

    Raises:
        BadInput: the trial cannot be trained. It stays unfinished.
    """
    study = TrialStudy(folder)
    with study.errors():
        _train(study, number, skip_bad_lines)


def _train(study, number, skip_bad_lines):
    import optuna

    run, trial = study.run(number), study.live(number)
    config = study.space.replace(study.config, study.space.values(trial.params))
    try:
        if not run.finished:
            _fit(config, run, trial, skip_bad_lines)
    except optuna.TrialPruned:
        study.end(number)
    except Diverged as error:
        trial.set_user_attr("diverged", str(error))
        study.end(number)
    else:
        found = read_metrics(run, ["validation", "train_seconds"])
        trial.set_user_attr("metrics", found)
        study.end(number, found["validation"]["P@5"])


def _fit(config, run, trial, skip_bad_lines):
    # Imported late: it imports Keras.
    from xmc_keras.training.search.prune_trial import PruneTrial

    fit(
        config,
        read_part(config.data, "train", skip_bad_lines, groups=config.validation_by),
        run=run,
        resume=True,
        callbacks=[PruneTrial(trial, config)],
    )


def keep_record(run):
    """Deletes all but the record of a trial that was pruned.

    Args:
        run: its `RunFolder`.
    """
    if not run.path.is_dir():
        return
    for path in run.path.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name not in RECORD:
            path.unlink()
