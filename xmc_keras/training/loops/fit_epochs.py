"""Training epochs with `model.fit`, also from the middle of an epoch."""

from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.ops.distribution.spread_seeds import spread_seeds
from xmc_keras.progress import phase


def compile_and_build(model, optimizer, config, validation_batches):
    """Compiles a model for `fit_epochs`, and builds it and its optimizer.

    Built before `fit`, because a checkpoint is loaded into existing variables.
    """
    with phase("Building the model"), model.distribute_strategy.scope():
        model.compile(
            optimizer=optimizer,
            metrics=[PrecisionAtK(k) for k in (1, 3, 5)],
            jit_compile=config.jit_compile,
        )
        build(model, validation_batches)
        model.optimizer.build(model.trainable_variables)


def build(model, batches):
    """Builds a model for the shapes of batches, unless it is built.

    Not by a call: a sharded table is read within a step only.
    """
    if not model.built:
        inputs = next(batches.batches())[0]
        model.build({name: values.shape for name, values in inputs.items()})


def fit_epochs(model, batches, validation_batches, callbacks, first, last, step=0):
    """Trains epochs `first` to `last`, starting at `step` of the first one.

    Args:
        model: a compiled and built model.
        batches, validation_batches: see `build_training_inputs` and `build_inputs`.
        callbacks: list of Keras callbacks.
        first, last: int. Epochs, counted from 0; `last` is excluded.
        step: int. Steps of the first epoch that are done already. Defaults to `0`.

    Returns:
        Whether a callback ended training early, a bool.
    """
    strategy = model.distribute_strategy
    spread_seeds(model)
    spans = [(first, step, last)]
    if step:  # the rest of an epoch is a separate call of `fit`
        spans = [(first, step, first + 1), (first + 1, 0, last)]
    for epoch, skipped, end in spans:
        if epoch < end:
            with phase("Training"):
                dataset, steps = feed(batches, strategy, epoch, skipped)
                validation, validation_steps = feed(validation_batches, strategy)
                model.fit(
                    dataset,
                    steps_per_epoch=steps,
                    validation_data=validation,
                    validation_steps=validation_steps,
                    initial_epoch=epoch,
                    epochs=end,
                    callbacks=callbacks,
                    shuffle=False,  # the batches are shuffled already
                    verbose=0,
                )
            if getattr(model, "stop_training", False):
                return True
    return False


def evaluate(model, batches):
    """The logs of Keras's `evaluate` on batches, a dictionary."""
    dataset, steps = feed(batches, model.distribute_strategy)
    return model.evaluate(dataset, steps=steps, verbose=0, return_dict=True)


def feed(batches, strategy, epoch=0, start=0):
    """The data set of batches for a strategy, and its steps, None if it knows them."""
    if strategy.num_replicas_in_sync == 1:
        return batches.dataset(epoch, start), None
    return batches.replica_dataset(strategy, epoch, start)
