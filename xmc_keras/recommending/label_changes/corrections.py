"""Documents on which a model was wrong, and what it answered."""

import dataclasses
import typing

import numpy as np
import scipy.sparse


@dataclasses.dataclass
class Corrections:
    """Documents with their right labels, and the labels that a model ranks high.

    Args:
        texts: list of strings.
        targets: csr matrix (documents, labels), ones where a label applies.
        predicted: int array (documents, n). The best labels of the model, `-1` pads.
        old_texts: list of strings, documents whose answers should stay; not empty.
        others: optional function of texts and label ids that returns logits
            (texts, labels) of what else the model adds, such as the transformer of a
            `Hybrid`.

    Example:

    >>> targets = scipy.sparse.csr_matrix([[0.0, 1.0, 0.0]])
    >>> found = Corrections(["sea"], targets, np.array([[2, 1]]), ["sky"])
    >>> found.labels.tolist(), found.weights.toarray().tolist()
    ([1, 2], [[1.0, 1.0]])
    """

    texts: list
    targets: scipy.sparse.csr_matrix
    predicted: np.ndarray
    old_texts: list
    others: typing.Callable | None = None

    def __post_init__(self):
        documents, places = np.nonzero(self.predicted >= 0)
        pairs = documents, self.predicted[documents, places]
        shape = self.targets.shape
        ranked = scipy.sparse.csr_matrix((np.ones(len(documents)), pairs), shape)
        touched = ((ranked + self.targets) > 0).astype(np.float32).tocsc()
        self.labels = np.flatnonzero(np.diff(touched.indptr))
        self.weights = touched[:, self.labels].tocsr()

    @property
    def own_targets(self):
        """The targets of `labels` alone, csr matrix (documents, labels)."""
        return scipy.sparse.csr_matrix(self.targets)[:, self.labels]
