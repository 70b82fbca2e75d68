"""Documents of the training part that no run of an ensemble was trained on."""

import contextlib
import itertools
import logging

import numpy as np

from xmc_keras.data.splits import split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.finished_runs import read_metrics

logger = logging.getLogger(__name__)

STAY = "Scores of the ensemble stay as they are: %s"
# Weights chosen by fewer documents are chosen by chance.
FEWEST = 20


@contextlib.contextmanager
def scores_may_stay(needed=False):
    """Scope in which `BadInput` is a warning, unless weights need the documents."""
    try:
        yield
    except BadInput as error:
        if needed:
            raise
        logger.warning(STAY, error.message)


def hold_out(runs, train):
    """The documents of the training part that no run was trained on.

    Args:
        runs: list of `RunFolder`.
        train: `Documents` or `FeatureDocuments` of the training part.

    Returns:
        `(documents, rows)`: `Documents` or `FeatureDocuments`, see `find_untrained`;
        and for each run None, or, if its linear model has learnt from its validation
        documents in the end, the places of these documents among them.

    Raises:
        BadInput: there are fewer than 20, or `train` are not the documents that the
            runs were trained on.
    """
    for run in runs:
        run.check_data(train)
    configs = [run.config() for run in runs]
    learnt = [read_metrics(run).get("learnt_validation", False) for run in runs]
    places = find_untrained(configs, train, learnt)
    rows = [
        np.searchsorted(split_documents(config, len(train), train.groups)[1], places)
        if has_learnt
        else None
        for config, has_learnt in zip(configs, learnt)
    ]
    return train.subset(places), rows


def find_untrained(configs, train, learnt=None):
    """Indices of documents of the training part that no run trained on.

    Args:
        configs: list of `Config`, of each run.
        train: documents of the training part.
        learnt: optional list of bools. Whether a run has learnt from its validation
            documents in the end: of others it has no answers from before.

    Returns:
        Sorted int64 array, of at most as many as the largest validation split.
    """
    free = np.arange(len(train))
    for config, has_learnt in itertools.zip_longest(configs, learnt or ()):
        trained, validation = split_documents(config, len(train), train.groups)
        free = np.setdiff1d(free, trained)
        if has_learnt:
            free = np.intersect1d(free, validation)
    if len(free) < FEWEST:
        raise BadInput(
            f"Expected a validation split of {FEWEST} documents or more that no run "
            f"was trained on. Received: {len(free)}.",
            remedy="Train runs with one split_seed and more validation_documents, or "
            "weigh the runs equally.",
        )
    most = max(config.validation_documents for config in configs)
    drawn = np.random.default_rng(configs[0].seed).permutation(free)
    return np.sort(drawn[:most])


def common_groups(configs):
    """The `validation_by` of configs; None if none has one."""
    files = sorted({config.validation_by for config in configs} - {None})
    if len(files) > 1:
        raise BadInput(
            "Expected runs of one validation_by, to find documents that no run was "
            f"trained on. Received: {' and '.join(files)}.",
            remedy="Weigh the runs equally.",
        )
    return files[0] if files else None
