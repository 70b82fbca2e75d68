"""Opening finished runs of one data set, to compare or average them."""

import json

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest
from xmc_keras.runs.run_folder import RESTORE, RunFolder


def open_finished_runs(paths, least=1):
    """Opens finished runs with the same training part and labels as `RunFolder`s.

    Args:
        paths: list of strings or paths.
        least: int. Minimum number of runs. Defaults to `1`.

    Raises:
        BadInput: there are too few runs, a run is given twice or not finished, or its
            labels or training part differ from those of the first.

    Example:

    >>> open_finished_runs(["runs/a", "runs/a"])
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: runs/a: Expected each run once. ...
    """
    if len(paths) < least:
        raise BadInput(f"Expected at least {least} runs. Received: {len(paths)}.")
    runs, seen = [RunFolder(path) for path in paths], set()
    for run in runs:
        if run.path.resolve() in seen:
            raise BadInput("Expected each run once. Received: this twice.", run.path)
        seen.add(run.path.resolve())
    for run in runs:
        run.config()  # raises `BadInput` if there is no run
        read_metrics(run)
    first = runs[0]
    names, digest = first.label_set().names, first.digest()
    for run in runs[1:]:
        own = run.label_set().names
        if own != names:
            other = "other labels"
            if len(own) != len(names):
                other = f"{len(own)}, not {len(names)}"
            raise BadInput(
                f"Expected the same labels as in {first.path}. Received: {other}. "
                "Choose runs that were trained on the same data.",
                run.label_names_path,
            )
        if run.digest() != digest:
            raise BadInput(
                f"Expected the same training part as in {first.path}. Received: other "
                "texts or labels. Choose runs that were trained on the same data.",
                run.path,
            )
    return runs


def read_metrics(run, keys=None):
    """Reads `metrics.json` of a run; raises `BadInput` if it is not finished.

    Args:
        run: a `RunFolder`.
        keys: optional list of strings. The metrics to return. Defaults to all.
    """
    if not run.finished:
        raise BadInput(
            "Expected a finished run. Received: a run without metrics.json.",
            run.path,
            remedy="Continue it with `fit` and `resume=True`.",
        )
    try:
        metrics = json.loads(run.metrics_path.read_text(encoding="utf-8"))
        metrics = {key: metrics[key] for key in (metrics if keys is None else keys)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"Expected the metrics of a finished run. Received: {error!r}.",
            run.metrics_path,
            remedy="Restore the file, or train the run again.",
        ) from None
    check_digest(run.metrics_path, RESTORE)
    return metrics


def name_runs(runs):
    """Names of runs: their folder names, or their whole paths if two names are equal.

    >>> name_runs([RunFolder("/runs/a"), RunFolder("/runs/b")])
    ['a', 'b']
    """
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    return names
