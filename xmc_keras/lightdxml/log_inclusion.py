"""Log probability that a label is among the negatives of a batch."""

import numpy as np


def log_inclusion(label_counts, num_documents, batch_size, random_negatives):
    """Log probability that a batch with shared negatives scores a label.

    A batch scores the positives of all its documents, and random labels. Rare labels
    are seldom among them, so a classifier learns too high odds for them: the true odds
    divided by this probability. Adding this logarithm to the logit corrects the bias:
    all of it for true odds, a part of it to keep more rare labels among the best.

    Shortlists are not counted, because their labels change during training.

    Args:
        label_counts: array (labels,). Training documents of each label.
        num_documents: int. Training documents.
        batch_size: int. Documents per batch.
        random_negatives: int. Labels drawn for each batch, with replacement.

    Returns:
        float32 array (labels,), at most 0. Probabilities below `1 / num_documents`,
        including zero, count as `1 / num_documents`.

    Reference: the correction of a sampled softmax,
        [Bengio and Senecal, 2008](https://doi.org/10.1109/TNN.2007.912312), applied
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
    not_random = (1 - 1 / len(counts)) ** random_negatives
    not_positive = (1 - counts / num_documents) ** batch_size
    included = np.maximum(1 - not_random * not_positive, 1 / num_documents)
    return np.log(included).astype(np.float32)
