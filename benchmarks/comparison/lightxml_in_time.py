"""Settings of a LightXML that trains within some minutes on this machine.

The recipe is `debian24k` (MiniLM), with

- the batch size and the rate of the heads that `choose_lightxml` has for as many
  training documents;
- a label per cluster and no ranker up to 4,000 labels, as the paper has it on its
  smallest set, Eurlex-4K;
- the precision, float32 or mixed_bfloat16, whose training steps are faster here;
- texts cut to the shortest of `LENGTHS` that three quarters of the documents fit in,
  with 1.5 tokens a word. If fewer than `FEWEST` epochs fit into the time, shorter ones;
- as many epochs as fit, at most `MOST`, the paper's longest training. If not even one
  fits, as many documents as do.

The time of a step is measured by `xmc plan --measure`. A step of prediction is taken
as a third of a training step: the start from centroids predicts the training part
once, each epoch the validation documents, the evaluation the test part. The best epoch
on the validation documents is kept.
"""

from xmc_keras.config.choose_lightxml import (
    LENGTHS,
    UNCLUSTERED,
    choose_length,
    choose_steps,
)
from xmc_keras.data.splits import choose_validation_size
from xmc_keras.files.bad_input import BadInput

RECIPE = "debian24k"
PRECISIONS = ("float32", "mixed_bfloat16")
FEWEST, MOST = 4, 30  # epochs
PREDICTION = 1 / 3  # of a training step
OVERHEAD = 60  # seconds to start, save, and end


def choose_settings(train, num_labels, num_test, minutes, measure):
    """Chooses the settings for a data set.

    Args:
        train: `Documents` of the training part.
        num_labels: int.
        num_test: int. Test documents.
        minutes: float. Time that training and evaluation may take.
        measure: function from a list of settings `"key=value"` to the seconds of a
            training step with them.

    Returns:
        List of settings.

    Raises:
        BadInput: not even one step fits into the time.
    """
    batch, _, rate = choose_steps(len(train))
    fixed = [f"batch_size={batch}", f"head_learning_rate={rate}"]
    if num_labels <= UNCLUSTERED:
        fixed.append("max_leaf=1")
    length = choose_length(train.texts)
    steps = {
        precision: measure(settings_of(fixed, precision, length))
        for precision in PRECISIONS
    }
    precision = min(steps, key=steps.get)
    step_s, sizes = steps[precision], (len(train), num_test, batch)
    while epochs_in(minutes, step_s, *sizes)[0] < FEWEST:
        shorter = LENGTHS[: LENGTHS.index(length)]
        if not shorter:
            break
        fits = [
            n
            for n in shorter
            if epochs_in(minutes, step_s * n / length, *sizes)[0] >= FEWEST
        ]
        length = max(fits, default=shorter[0])
        step_s = measure(settings_of(fixed, precision, length))
    settings = settings_of(fixed, precision, length)
    epochs, documents = epochs_in(minutes, step_s, *sizes)
    if documents < batch:
        raise BadInput(
            "Expected enough time for a training step of LightXML, besides starting "
            f"and predicting. Received: {minutes:g} minutes. Raise --minutes."
        )
    if epochs < 1:
        settings.append(f"train_documents={documents}")
    return [*settings, f"epochs={min(MOST, max(1, epochs))}"]


def settings_of(fixed, precision, length):
    return [*fixed, f"precision={precision}", f"max_tokens={length}"]


def epochs_in(minutes, step_s, num_train, num_test, batch):
    """Whole epochs that fit into some minutes, and documents of a single epoch.

    >>> epochs_in(30, 0.5, 16_000, 3_000, 16)
    (3, 15000)
    >>> epochs_in(30, 2.5, 16_000, 3_000, 16)
    (0, 4469)
    """
    held_out = choose_validation_size(None, num_train)
    # In documents of training, which is what a step consists of.
    once = (num_train + num_test) * PREDICTION
    each = held_out * PREDICTION
    left = (60 * minutes - OVERHEAD) * batch / step_s - once
    epochs = max(0, int(left / (num_train - held_out + each)))
    return epochs, min(num_train - held_out, int(left - each))
