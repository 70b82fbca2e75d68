"""How likely a label is among the negatives of a batch."""

import numpy as np


def log_inclusion(label_counts, num_documents, batch_size, random_negatives):
    """Log of the chance that a batch scores a label that negatives are shared with.

    A batch scores the positives of all its documents and labels drawn at random. A rare
    label is seldom among them, so that a classifier learns too high odds for it: those
    odds divided by this chance. What is learnt is put right by adding this logarithm to
    the label's logit, the whole of it for true odds, a part for more rare labels among
    the best.

    Shortlists are not counted: which labels they have changes as the model learns.

    Args:
        label_counts: array (labels,). Training documents of each label.
        num_documents: int. Training documents.
        batch_size: int. Documents a batch.
        random_negatives: int. Labels drawn for each batch, with replacement.

    Returns:
        float32 array (labels,), at most 0. At least that of one batch in as many as
        there are documents, also where the chance is none.

    Reference: the correction of a sampled softmax,
        [Bengio and Senecal, 2008](https://doi.org/10.1109/TNN.2007.912312); applied
        after training as in [Menon et al., 2021](https://arxiv.org/abs/2007.07314).

    Example:

    >>> log_inclusion([0, 5, 10], 10, 1, 0).round(3).tolist()
    [-2.30..., -0.69..., 0.0]
    """
    counts = np.asarray(label_counts, np.float64)
    if not (0 <= counts.min(initial=0) and counts.max(initial=0) <= num_documents):
        raise ValueError(
            "Expected `label_counts` from 0 to `num_documents`. Received: "
            f"{counts.min():g} to {counts.max():g}, num_documents={num_documents}"
        )
    not_drawn = (1 - 1 / len(counts)) ** random_negatives
    not_there = (1 - counts / num_documents) ** batch_size
    included = np.maximum(1 - not_drawn * not_there, 1 / num_documents)
    return np.log(included).astype(np.float32)
