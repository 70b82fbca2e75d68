"""Documents of new labels, and old documents that do not have them."""

import dataclasses
from typing import NamedTuple

import numpy as np
import scipy.sparse

from xmc_keras.labels.row_prior import STRENGTH, STRENGTH_ALONE

MOST = 32  # documents of a label that a new row is fitted to
# A label of fewer documents counts as one of five: who names a label by one example
# has more of them to come.
LEAST = 5


class DrawnDocuments(NamedTuple):
    """Texts, and how each of them counts for each new label.

    Args:
        texts: list of strings. The first have new labels, the others are old.
        label_matrix: csr matrix (documents, new labels) float32, ones where one
            applies.
        weights: float32 array (documents, new labels) of the losses.
        strength: float. Weight of the prior, see `RowPrior`.
    """

    texts: list
    label_matrix: scipy.sparse.csr_matrix
    weights: np.ndarray
    strength: float


@dataclasses.dataclass
class LabelExamples:
    """Documents of new labels, and what is known of the old ones.

    Args:
        names: list of strings. The new labels.
        texts: list of strings, each once.
        label_matrix: csr matrix (documents, new labels), ones where a label applies.
        old_texts: list of strings. Documents without the new labels, such as those of
            training; may be empty.
        counts: optional int array (labels,). Documents of each label that the model
            has.
        found: dictionary, the metrics of the training of the model; may be empty.
        with_transformer: bool. Whether the model is the words of a `Hybrid`.

    Example:

    >>> matrix = scipy.sparse.csr_matrix([[1.0], [1.0]])
    >>> examples = LabelExamples(["sea"], ["waves", "a coast"], matrix, ["a car"] * 9)
    >>> drawn = examples.draw(3)
    >>> len(drawn.texts), drawn.weights[:, 0].tolist()
    (5, [2.5, 2.5, 3.0, 3.0, 3.0])
    """

    names: list
    texts: list
    label_matrix: scipy.sparse.csr_matrix
    old_texts: list
    counts: np.ndarray | None = None
    found: dict = dataclasses.field(default_factory=dict)
    with_transformer: bool = False

    def draw(self, most_old):
        """Draws documents to fit rows to, always the same.

        At most `MOST` of each label, with all their labels, and `most_old` of the
        others, which weigh as much as all of them.

        Args:
            most_old: int.

        Returns:
            `DrawnDocuments`.
        """
        random = np.random.default_rng(0)
        columns, kept = self.label_matrix.tocsc(), np.zeros(len(self.texts), bool)
        for start, end in zip(columns.indptr, columns.indptr[1:]):
            own = columns.indices[start:end]
            kept[own if len(own) <= MOST else random.choice(own, MOST, False)] = True
        places = np.flatnonzero(kept)
        old = random.permutation(len(self.old_texts))[:most_old]
        matrix = self.label_matrix[places]
        empty = scipy.sparse.csr_matrix((len(old), matrix.shape[1]), dtype=np.float32)
        label_matrix = scipy.sparse.vstack([matrix, empty], format="csr")
        applies = label_matrix.toarray() > 0
        counts = np.maximum(applies.sum(axis=0), 1)
        weights = np.ones(applies.shape, np.float32)
        weights[len(places) :] = len(self.old_texts) / max(len(old), 1)
        weights = np.where(applies, np.maximum(1, LEAST / counts), weights)
        texts = [self.texts[i] for i in places] + [self.old_texts[i] for i in old]
        strength = STRENGTH if len(old) else STRENGTH_ALONE
        return DrawnDocuments(texts, label_matrix, weights.astype(np.float32), strength)

    def known_rows(self, rows):
        """The rows of known labels that new ones resemble: of few documents, if known.

        Args:
            rows: array (labels, dim).
        """
        if self.counts is None:
            return rows
        few = (self.counts >= 2) & (self.counts <= 50)
        learnt = few if few.sum() >= 100 else self.counts > 0
        return rows[learnt] if learnt.any() else rows
