"""Corrections of a OneVsAll: the rows of its labels."""

import numpy as np

from xmc_keras.labels.row_corrections import RowCorrections
from xmc_keras.one_vs_all.change_one_vs_all import label_rows, project_texts
from xmc_keras.ops.elementwise import logit


def correct_labels(model, corrections):
    """Changes a built `OneVsAll` so that it is right on documents, see `learn`.

    Args:
        model: a `OneVsAll`, which changes.
        corrections: `Corrections`.
    """
    labels, table = corrections.labels, label_rows(model)
    hidden = project_texts(model, corrections.texts)
    logits = hidden @ table[labels].T + logit(model.head.initial_probability)
    change = RowCorrections(project_texts(model, corrections.old_texts)).fit(
        hidden,
        corrections.own_targets,
        corrections.weights,
        lambda i, j: logits[np.ix_(i, j)],
    )
    table[labels] += change
    model.head.assign_rows(np.arange(len(table)), table)
    return model
