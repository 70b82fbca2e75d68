"""A LightDXML with other labels: rows taken over, and rows for new labels."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.label_bands import BANDS, find_bands
from xmc_keras.labels.label_centroids import compute_centroids
from xmc_keras.labels.row_prior import RowPrior
from xmc_keras.lightdxml.changes.label_tables import (
    LabelTables,
    read_tables,
    write_tables,
)
from xmc_keras.lightdxml.document_words import find_top_words
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.nearest_labels import normalize_table
from xmc_keras.one_vs_all.fit_one_vs_all import fit_one_vs_all, mean_weights
from xmc_keras.one_vs_all.member_prior import PRIOR, PRIOR_WITH_TRANSFORMER
from xmc_keras.one_vs_all.negative_documents import NegativeDocuments
from xmc_keras.recommending.label_changes.label_examples import LEAST

# Documents without a new label that its rows are fitted to. Words need more than a
# transformer's features, and take less time.
OLD_DOCUMENTS = 5000
# Of the words of labels that are part of the linear rows, whose gains are not kept.
NUM_WORDS, SCALE = 64, 6.0
C, LEAST_CHANGE = 0.5, 0.06  # of the linear model, where they are not known


def select_labels(model, places, names):
    """A copy of a built `LightDXML` with some of its labels.

    Args:
        model: a `LightDXML`, which stays as it is.
        places: int array (labels,). Ids of the labels to keep, in the order of the new
            ones.
        names: list of strings, their names.
    """
    return write_tables(model, read_tables(model).select(places), names)


def extend_labels(model, examples):
    """A copy of a built `LightDXML` with new labels, see `add_labels`.

    The embedding of a new label is the centroid of its documents, which the proxy of
    training starts from. Its words are the heaviest of its documents, as in training.
    Its row of the classifier is fitted by a `RowPrior`, and of a joined linear model by
    `fit_one_vs_all`.

    Args:
        model: a `LightDXML`, which stays as it is.
        examples: `LabelExamples`.
    """
    tables = read_tables(model)
    drawn = examples.draw(OLD_DOCUMENTS)
    rows = drawn.texts
    if model.vectorizer is not None:
        rows = model.vectorizer.transform(drawn.texts)
    batches = build_inputs(model, rows)
    features = encode_documents(model.encoder, batches)
    targets = drawn.label_matrix
    words = []
    if model.lexical is not None:
        words = list(find_top_words(rows, targets, model.lexical.num_words))
    own, before = np.ones(targets.shape[1]), np.ones(len(tables.bias))
    linear = linear_bias = None
    if model.linear is not None:
        weights = joined_weights(examples)
        counts = np.asarray(examples.label_matrix.sum(axis=0)).ravel()
        of_labels = weights[find_bands(np.maximum(counts, LEAST))]
        own, before = of_labels[:, 0], np.full(len(tables.bias), weights[:, 0].mean())
        if examples.counts is not None:
            before = weights[find_bands(examples.counts), 0]
        linear, linear_bias = _fit_linear(rows, drawn, of_labels, examples.found)
    # Rows of a joined model are multiplied by the weight of their band.
    known = np.column_stack([tables.table, tables.bias])
    known = known / np.maximum(before, 1e-3)[:, None]
    offsets = 0.0
    if model.lexical is not None:
        offsets = _word_logits(model.lexical, words, rows, targets)
    found = RowPrior(examples.known_rows(known)).fit_rows(
        np.column_stack([features, np.ones(len(features), np.float32)]),
        targets.toarray(),
        drawn.weights,
        offsets,
        drawn.strength,
    )
    found *= own[:, None]
    centroids = compute_centroids(features, targets)
    new = LabelTables(
        normalize_table(centroids).numpy(),
        found[:, :-1],
        found[:, -1],
        words,
        linear,
        linear_bias,
    )
    names = [*model.label_set.names, *examples.names]
    return write_tables(model, tables.append(new), names)


def joined_weights(examples):
    """Weights (bands, members + 1) of a joined model: its own, or usual ones."""
    usual = PRIOR_WITH_TRANSFORMER if examples.with_transformer else PRIOR
    usual = np.tile(usual, (len(BANDS) + 1, 1))
    return np.array(examples.found.get("member_weights", usual))


def _fit_linear(rows, drawn, weights, found):
    """Rows and biases of a joined linear model for new labels, as `join_linear` has."""
    targets = drawn.label_matrix
    words = sum_words(rows, targets)
    negatives = NegativeDocuments(rows, targets, words, seed=0)
    own, bias = fit_one_vs_all(rows, targets, negatives, found.get("linear_c", C))
    of_words, of_rows = weights[:, 1].astype(np.float32), weights[:, 2]
    joined = scipy.sparse.diags_array(of_rows.astype(np.float32)) @ own
    joined = (joined + scipy.sparse.diags_array(SCALE * of_words) @ words).tocsr()
    changes = np.abs(joined.data) * mean_weights(rows)[joined.indices]
    joined.data[changes < found.get("least_change", LEAST_CHANGE)] = 0
    joined.eliminate_zeros()
    return joined.astype(np.float32), of_rows * bias + weights[:, -1]


def sum_words(rows, targets):
    """The heaviest words of labels, csr matrix (labels, features), rows of norm 1."""
    ids, weights, _ = find_top_words(rows, targets, NUM_WORDS)
    labels, ranks = np.nonzero(ids >= 0)
    shape = targets.shape[1], rows.shape[1]
    arrays = weights[labels, ranks], (labels, ids[labels, ranks])
    return scipy.sparse.csr_matrix(arrays, shape, np.float32)


def _word_logits(lexical, words, rows, targets):
    """What words of new labels add to logits, float32 (documents, labels).

    Without a document itself, where a label has it, as in training.
    """
    layer = LabelWords(
        targets.shape[1],
        lexical.num_features,
        lexical.num_words,
        lexical.coarse_words,
        dtype="float32",
    )
    layer.build()
    layer.gains.assign(lexical.gains)
    for own, value in zip((layer.word_ids, layer.word_weights, layer.lengths), words):
        own.assign(value)
    found, every = np.zeros(targets.shape, np.float32), tf.range(targets.shape[1])
    batches = SparseDocumentBatches(rows, targets, 256, shuffle=False)
    start = 0
    for x, label_ids in batches.batches():
        documents = batches.order[start : start + len(label_ids)]
        start += len(label_ids)
        read = layer.words(x)
        found[documents] = layer.cosines(read, every).numpy()
        left = layer.left_out(read, label_ids).numpy()
        places, columns = np.nonzero(label_ids >= 0)
        own = label_ids[places, columns]
        found[documents[places], own] = left[places, columns]
    return float(lexical.scale) * found
