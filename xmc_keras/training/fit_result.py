"""The result of training."""

import dataclasses
import typing


@dataclasses.dataclass
class FitResult:
    """A trained model with its history and metrics.

    Args:
        model: a `LightXML` or `LightDXML` with the weights that are best on the
            validation split; None on other workers than the chief, if this saves a run.
        history: list of dictionaries, one per epoch: `epoch` (from 0), losses, and
            validation metrics in [0, 1].
        metrics: dictionary of metrics in percent, see `evaluate`: on the test
            documents, or else on the validation documents, as `evaluated_on` says,
            `"test"` or `"validation"`. `baselines` has the metrics of simple baselines,
            `warnings` a sentence if the model is below one, `best_epoch` the epochs of
            training that are kept (0: the start), and `validation` P@1, P@3 and P@5 on
            the validation split.
        seconds: float. Seconds of training, over all restarts of a run.

    Example:

    >>> FitResult(None, [{"epoch": 0, "loss": 0.5}], {"P@1": 80.0}, 12.0).metrics
    {'P@1': 80.0}
    """

    model: typing.Any
    history: list
    metrics: dict
    seconds: float
