"""Finished runs of one data set, to be compared or averaged."""

import json

from xmc_keras.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder


def open_finished_runs(paths, least=1):
    """The `RunFolder` of each path: finished, with the same training part and labels.

    Args:
        paths: list of strings or paths.
        least: int. Runs at least. Defaults to `1`.

    Raises:
        BadInput: too few runs, one twice, one that is not finished, or runs with other
            labels or another training part than the first.

    Example:

    >>> open_finished_runs(["runs/a", "runs/a"])
    Traceback (most recent call last):
    xmc_keras.bad_input.BadInput: runs/a: Expected each run once. Received: it twice.
    """
    if len(paths) < least:
        raise BadInput(f"Expected at least {least} runs. Received: {len(paths)}.")
    runs, seen = [RunFolder(path) for path in paths], set()
    for run in runs:
        if run.path.resolve() in seen:
            raise BadInput("Expected each run once. Received: it twice.", run.path)
        seen.add(run.path.resolve())
    for run in runs:
        run.config()  # it says so if there is no run
        read_metrics(run)
    first = runs[0]
    names, digest = first.label_set().names, first.digest()
    for run in runs[1:]:
        own = run.label_set().names
        if own != names:
            other = "others"
            if len(own) != len(names):
                other = f"{len(own)}, not {len(names)}"
            raise BadInput(
                f"Expected runs of the same labels as {first.path}. Received: {other}. "
                "Name runs that were trained on the same data.",
                run.label_names_path,
            )
        if run.digest() != digest:
            raise BadInput(
                f"Expected runs of the same training part as {first.path}. Received: "
                "other texts or labels. Name runs that were trained on the same data.",
                run.path,
            )
    return runs


def read_metrics(run, keys=None):
    """Reads `metrics.json` of a run; raises `BadInput` if it is not finished.

    Args:
        run: a `RunFolder`.
        keys: optional list of strings, those that are wanted.
    """
    if not run.finished:
        raise BadInput(
            "Expected a finished run. Received: one without metrics.json.",
            run.path,
            remedy="Continue it with `fit` and `resume=True`.",
        )
    try:
        metrics = json.loads(run.metrics_path.read_text(encoding="utf-8"))
        return {key: metrics[key] for key in (metrics if keys is None else keys)}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"Expected the metrics of a finished run. Received: {error!r}.",
            run.metrics_path,
            remedy="Restore the file, or train the run again.",
        ) from None


def name_runs(runs):
    """A name for each run: its folder's, or the whole path where several share one.

    >>> name_runs([RunFolder("/runs/a"), RunFolder("/runs/b")])
    ['a', 'b']
    """
    names = [run.path.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [str(run.path) for run in runs]
    return names
