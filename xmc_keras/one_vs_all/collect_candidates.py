"""Validation documents that the members of a model are joined by."""

import numpy as np

CANDIDATES = 30  # best labels of each member that a document is judged by
SCORES = 2**24  # scores in memory at a time


def collect_candidates(score_block, relevant, num_members, offered=None):
    """Logits of the best labels of each member for validation documents.

    Args:
        score_block: function of `(start, end)` that returns a list of float arrays (end
            - start, num_labels), the logits of each member.
        relevant: csr matrix (documents, num_labels), ones where a label applies.
        num_members: int.
        offered: optional int array (documents, n). Further labels of each document,
            `-1` pads.

    Returns:
        `(documents, labels, logits, targets)`: int arrays (pairs,), float64 (pairs,
        members), and bool (pairs,), whether the label applies to the document.
    """
    documents, num_labels = relevant.shape
    k = min(CANDIDATES, num_labels)
    block = 1 + SCORES // (num_members * num_labels)
    found = []
    for start in range(0, documents, block):
        end = min(start + block, documents)
        scores = score_block(start, end)
        chosen = np.zeros((end - start, num_labels), bool)
        for part in scores:
            best = np.argpartition(-part, k - 1, axis=1)[:, :k]
            np.put_along_axis(chosen, best, True, axis=1)
        if offered is not None:
            own = offered[start:end]
            chosen[np.nonzero(own >= 0)[0], own[own >= 0]] = True
        rows, labels = np.nonzero(chosen)
        logits = np.stack([part[rows, labels] for part in scores], axis=1)
        applies = relevant[start:end].toarray()[rows, labels] > 0
        found.append((start + rows, labels, logits.astype(np.float64), applies))
    return tuple(map(np.concatenate, zip(*found)))
