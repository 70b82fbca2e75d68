"""The training loop of one-vs-all."""

from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.training.loops.train_stage import train_stage


def train_one_vs_all(
    config,
    model,
    batches,
    validation_batches,
    run=None,
    callbacks=(),
    progress=True,
    trained_heads=False,
):
    """Trains an `OneVsAll` by its config, or resumes its run.

    Arguments and results are those of `train_lightxml`.
    """
    history, checkpoint, best = train_stage(
        config,
        model,
        batches,
        validation_batches,
        run,
        callbacks,
        progress,
        trained_heads=trained_heads,
    )
    if run is None:
        best.use_best()
    else:
        plot_curves(run)
    return history.rows(), checkpoint, best.summary(config.epochs)
