"""What a LightDXML holds of each label, as arrays, and a copy with other labels."""

import dataclasses

import numpy as np
import scipy.sparse

from xmc_keras.recommending.label_changes.copy_model import copy_model, select_rows

FEWEST_CANDIDATES = 400  # of a model that scored all its labels, once it has more


@dataclasses.dataclass
class LabelTables:
    """What a `LightDXML` holds of each label.

    Args:
        embeddings, table: float32 arrays (labels, dim). Label embeddings, and rows of
            the classifier.
        bias: float32 array (labels,) of the classifier.
        words: list of `word_ids`, `word_weights` and `lengths` of `LabelWords`; empty
            without them.
        linear: csr matrix (labels, features) of a `SparseOneVsAll`, or None.
        linear_bias: float32 array (labels,), or None.
    """

    embeddings: np.ndarray
    table: np.ndarray
    bias: np.ndarray
    words: list
    linear: scipy.sparse.csr_matrix | None = None
    linear_bias: np.ndarray | None = None

    def select(self, places):
        """The tables of some labels, by ids; labels of `-1` have zeros."""
        linear = linear_bias = None
        if self.linear is not None:
            mark = np.asarray(places) >= 0
            chosen = scipy.sparse.csr_matrix(
                (np.ones(mark.sum()), (np.flatnonzero(mark), np.array(places)[mark])),
                (len(places), self.linear.shape[0]),
                np.float32,
            )
            linear = (chosen @ self.linear).tocsr()
            linear_bias = select_rows(self.linear_bias, places)
        return LabelTables(
            select_rows(self.embeddings, places),
            select_rows(self.table, places),
            select_rows(self.bias, places),
            [select_rows(part, places) for part in self.words],
            linear,
            linear_bias,
        )

    def append(self, other):
        """The tables of these labels and those of another, in this order."""
        linear = linear_bias = None
        if self.linear is not None:
            linear = scipy.sparse.vstack([self.linear, other.linear], format="csr")
            linear_bias = np.concatenate([self.linear_bias, other.linear_bias])
        return LabelTables(
            np.concatenate([self.embeddings, other.embeddings]),
            np.concatenate([self.table, other.table]),
            np.concatenate([self.bias, other.bias]),
            [np.concatenate(pair) for pair in zip(self.words, other.words)],
            linear,
            linear_bias,
        )


def read_tables(model):
    """The `LabelTables` of a built `LightDXML`."""
    words, linear, linear_bias = [], None, None
    if model.lexical is not None:
        layer = model.lexical
        words = [w.numpy() for w in (layer.word_ids, layer.word_weights, layer.lengths)]
    if model.linear is not None:
        starts, ids, weights, linear_bias = model.linear.get_weights()
        shape = model.linear.num_features, model.num_labels
        linear = scipy.sparse.csr_matrix((weights, ids, starts), shape).T.tocsr()
    table, bias = model.classifier.get_weights()
    embeddings = model.nearest.label_embeddings.numpy()
    return LabelTables(embeddings, table, bias, words, linear, linear_bias)


def write_tables(model, tables, names):
    """A copy of a built `LightDXML` with other labels.

    Args:
        model: a `LightDXML`, which stays as it is.
        tables: `LabelTables`.
        names: list of strings, or None.
    """
    config, count = model.get_config(), len(tables.bias)
    config["num_labels"] = count
    if model.num_candidates == model.num_labels:
        config["num_candidates"] = max(model.num_candidates, FEWEST_CANDIDATES)
    if model.lexical is not None:
        config["lexical"]["config"]["num_labels"] = count
    if model.linear is not None:
        sizes = {"num_labels": count, "num_weights": int(tables.linear.nnz)}
        config["linear"]["config"] |= sizes
    copy = copy_model(model, config, names)
    copy.beta.assign(model.beta)
    # Not by `refresh`: scaling them again would change their last digit.
    copy.nearest.label_embeddings.assign(tables.embeddings)
    copy.classifier.set_weights([tables.table, tables.bias])
    if model.lexical is not None:
        layer = copy.lexical
        layer.scale.assign(model.lexical.scale)
        layer.gains.assign(model.lexical.gains)
        for own, value in zip(
            (layer.word_ids, layer.word_weights, layer.lengths), tables.words
        ):
            own.assign(value)
    if model.linear is not None:
        copy.linear.refresh(tables.linear, tables.linear_bias)
    return copy
