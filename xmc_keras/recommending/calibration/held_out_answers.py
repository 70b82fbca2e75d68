"""Answers to documents that a model has not learnt from."""

import dataclasses
import functools

import numpy as np
import scipy.sparse

from xmc_keras.metrics.find_hits import find_hits


@dataclasses.dataclass(frozen=True)
class HeldOutAnswers:
    """A model's best labels for documents that it has not learnt from.

    Calibration and thresholds are chosen by them.

    Args:
        label_ids: int array (documents, n). Best first, `-1` pads.
        scores: float array (documents, n). Their scores, in [0, 1].
        relevant: csr matrix (documents, num_labels or more). Ones where a label
            applies; labels that the model does not know come last.

    Example:

    >>> answers = HeldOutAnswers(np.array([[1, 0], [0, -1]]),
    ...     np.array([[0.9, 0.2], [0.6, 0.0]]),
    ...     scipy.sparse.csr_matrix([[0, 1], [0, 1]]))
    >>> answers.right.tolist()
    [[True, False], [False, False]]
    """

    label_ids: np.ndarray
    scores: np.ndarray
    relevant: scipy.sparse.csr_matrix

    @functools.cached_property
    def right(self):
        """bool array (documents, n): whether the label applies."""
        return find_hits(self.label_ids, self.relevant)

    @functools.cached_property
    def real(self):
        """bool array (documents, n): whether there is a label."""
        return self.label_ids >= 0

    def subset(self, rows):
        """The answers to some of the documents, by their places."""
        return HeldOutAnswers(
            self.label_ids[rows], self.scores[rows], self.relevant[rows]
        )

    def select_labels(self, places, num_labels):
        """The answers of a model with some of the `num_labels` labels."""
        places = np.asarray(places)
        own = np.full(num_labels + 1, -1)  # the last is that of pads
        own[places] = np.arange(len(places))
        unknown = np.arange(num_labels, self.relevant.shape[1])
        relevant = self.relevant[:, np.concatenate([places, unknown])]
        label_ids = own[self.label_ids]
        order = np.argsort(label_ids < 0, axis=1, kind="stable")  # the others move up
        label_ids, scores = (
            np.take_along_axis(part, order, axis=1) for part in (label_ids, self.scores)
        )
        scores = np.where(label_ids < 0, 0, scores)
        return HeldOutAnswers(label_ids, scores, relevant.tocsr())

    def extend_labels(self, num_labels, more_labels):
        """The answers of a model with `more_labels` instead of `num_labels` labels.

        It offered none of the new ones, and what it did not know stays unknown.
        """
        indices = self.relevant.indices
        indices = np.where(
            indices < num_labels, indices, indices + more_labels - num_labels
        )
        width = self.relevant.shape[1] + more_labels - num_labels
        relevant = scipy.sparse.csr_matrix(
            (self.relevant.data, indices, self.relevant.indptr),
            (self.relevant.shape[0], width),
        )
        return HeldOutAnswers(self.label_ids, self.scores, relevant)

    def arrays(self):
        """Dictionary of arrays for `numpy.savez`."""
        return {
            "label_ids": self.label_ids.astype(np.int32),
            "scores": self.scores.astype(np.float32),
            "relevant_indices": self.relevant.indices.astype(np.int32),
            "relevant_indptr": self.relevant.indptr.astype(np.int64),
            "relevant_shape": np.array(self.relevant.shape, np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays):
        """Makes them from what `arrays` returned."""
        indices, indptr = arrays["relevant_indices"], arrays["relevant_indptr"]
        ones = np.ones(len(indices), np.int8)
        relevant = scipy.sparse.csr_matrix(
            (ones, indices, indptr), tuple(arrays["relevant_shape"])
        )
        return cls(arrays["label_ids"], arrays["scores"], relevant)
