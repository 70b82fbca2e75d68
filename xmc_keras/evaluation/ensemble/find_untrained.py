"""Documents of the training part that no run of an ensemble was trained on."""

import numpy as np

from xmc_keras.data.splits import split_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.finished_runs import read_metrics

# Weights chosen by fewer documents are chosen by chance.
FEWEST = 20


def hold_out(runs, train):
    """The documents of the training part that no run was trained on.

    Args:
        runs: list of `RunFolder`.
        train: `Documents` or `FeatureDocuments` of the training part.

    Returns:
        `Documents` or `FeatureDocuments`, see `find_untrained`.

    Raises:
        BadInput: there are fewer than 20, a linear model has learnt from them, or
            `train` are not the documents that the runs were trained on.
    """
    for run in runs:
        run.check_data(train)
    check_untrained(runs)
    return train.subset(find_untrained([run.config() for run in runs], train))


def check_untrained(runs):
    """Raises `BadInput` if a run has learnt from its validation split in the end."""
    for run in runs:
        if read_metrics(run).get("learnt_validation"):
            raise BadInput(
                "Expected runs that have not learnt from the validation split. "
                "Received: one whose linear model has, in the end.",
                run.path,
                remedy="Set linear: false, or weigh the runs equally.",
            )


def find_untrained(configs, train):
    """Indices of documents of the training part that no run trained on.

    Args:
        configs: list of `Config`, of each run.
        train: documents of the training part.

    Returns:
        Sorted int64 array, of at most as many as the largest validation split.
    """
    free = np.arange(len(train))
    for config in configs:
        trained_by_one, _ = split_documents(config, len(train), train.groups)
        free = np.setdiff1d(free, trained_by_one)
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
