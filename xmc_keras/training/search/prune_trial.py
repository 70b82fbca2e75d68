"""Ending a trial of a search that is worse than the others."""

import keras

from xmc_keras.training.callbacks.best_model import MONITOR
from xmc_keras.training.search.trial_study import STEPS


class PruneTrial(keras.callbacks.Callback):
    """Reports P@5 on the validation split after each epoch, and may end the trial.

    The generator of static negatives, which is trained first, is not the model that is
    compared: its epochs are not reported. After the last epoch there is nothing to
    save by pruning.

    Args:
        trial: an `optuna.Trial`.
        config: the `Config` of the trial.

    Raises:
        optuna.TrialPruned: at the end of an epoch, if the pruner of the study says so.
    """

    def __init__(self, trial, config):
        super().__init__()
        self.trial = trial
        self.epochs = config.epochs
        self.first = config.recall_epochs if config.negatives == "static" else 0
        frozen = trial.study.get_trials(deepcopy=False)[trial.number]
        # An epoch is trained again if it ended without a checkpoint.
        self._reported = set(frozen.intermediate_values)

    def on_epoch_end(self, epoch, logs=None):
        import optuna  # optional

        done = epoch + 1
        if done <= self.first:
            return
        step = round(STEPS * done / self.epochs)
        if step not in self._reported:
            self._reported.add(step)
            self.trial.report(100 * logs[MONITOR], step)
        last = done == self.epochs or self.model.stop_training
        if not last and self.trial.should_prune():
            raise optuna.TrialPruned
