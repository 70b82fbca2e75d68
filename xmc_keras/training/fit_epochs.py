"""Epochs of `model.fit`, from the middle of one if need be."""


def fit_epochs(model, batches, validation_batches, callbacks, first, last, step=0):
    """Trains epochs `first` to `last`, of the first one from its step on.

    Args:
        model: a compiled and built model.
        batches, validation_batches: see `build_training_inputs` and `build_inputs`.
        callbacks: list of Keras callbacks.
        first, last: int. Epochs from 0; `last` is left out.
        step: int. Steps of the first epoch that an earlier start has done.
    """
    spans = [(first, step, last)]
    if step:  # the rest of an epoch is a `fit` of its own
        spans = [(first, step, first + 1), (first + 1, 0, last)]
    for epoch, skipped, end in spans:
        if epoch < end:
            model.fit(
                batches.dataset(epoch, skipped),
                validation_data=validation_batches.dataset(),
                initial_epoch=epoch,
                epochs=end,
                callbacks=callbacks,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )
