"""Corrections of a LightDXML: the rows of its labels."""

import dataclasses

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.row_corrections import RowCorrections, fit_changes
from xmc_keras.lightdxml.changes.label_tables import read_tables, write_tables

# Rows of words have norm 1, and are scaled to the size that features of some hundred
# numbers have in the metric of their second moment. Words of two texts are far more
# different than their features, so that no metric is needed.
SQUARE = 300.0
CHUNK = 1000  # corrections whose words are compared with each other
LEAST = 1e-3  # weights that are smaller are left out


def correct_labels(model, corrections):
    """A `LightDXML` that is right on documents, see `learn`.

    Corrects the linear rows of words if there are any, else those of the classifier.
    Which labels are candidates by their embeddings, with `candidates_from=
    "embeddings"`, stays as it is.

    Args:
        model: a built `LightDXML`, which may change.
        corrections: `Corrections`.

    Returns:
        A `LightDXML`: another one where linear rows get more weights.
    """
    rows = _read(model, corrections.texts)
    batches = build_inputs(model, rows)
    features = encode_documents(model.encoder, batches)
    logits = label_logits(model, batches, features, corrections.labels)
    if corrections.others is not None:
        logits = logits + corrections.others(corrections.texts, corrections.labels)
    if model.linear is not None:
        return _correct_linear(model, corrections, rows, logits)
    old = _read(model, corrections.old_texts)
    old = encode_documents(model.encoder, build_inputs(model, old))
    change = RowCorrections(_with_one(old)).fit(
        _with_one(features),
        corrections.own_targets,
        corrections.weights,
        lambda i, j: logits[np.ix_(i, j)],
    )
    table, bias = model.classifier.get_weights()
    table[corrections.labels] += change[:, :-1]
    bias[corrections.labels] += change[:, -1]
    model.classifier.set_weights([table, bias])
    return model


def label_logits(model, batches, features, label_ids):
    """Logits of labels for all documents, float32 (documents, labels).

    Args:
        model: a `LightDXML`.
        batches: inputs of the documents, see `build_inputs`.
        features: float32 array (documents, dim).
        label_ids: int array (labels,).
    """
    ids = tf.constant(label_ids, tf.int32)
    found, start = np.empty((len(features), len(label_ids)), np.float32), 0
    for x in batches.batches():
        x = x[0] if isinstance(x, tuple) else x
        documents = batches.order[start : start + len(x["token_ids"])]
        start += len(documents)
        logits = model.classifier(tf.constant(features[documents]), ids)
        words = model.read_words(x)
        if model.lexical is not None:
            logits += model.lexical.scale * model.lexical.cosines(words.lexical, ids)
        if model.linear is not None:
            logits += tf.gather(words.linear, ids, axis=1)
        found[documents] = logits.numpy()
    return found


def _correct_linear(model, corrections, rows, logits):
    """A copy whose linear rows have what the words of the corrections take."""
    tables, labels = read_tables(model), corrections.labels
    added = scipy.sparse.csr_matrix((len(labels), rows.shape[1]), dtype=np.float32)
    for start in range(0, rows.shape[0], CHUNK):
        part = slice(start, start + CHUNK)
        own, weights = rows[part], corrections.weights[part]
        before = logits[part] + (own @ added.T).toarray()
        values, vectors = np.linalg.eigh(SQUARE * (own @ own.T).toarray())
        kept = values > 1e-6 * values[-1]
        roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
        found = fit_changes(
            vectors * roots,
            corrections.own_targets[part],
            weights,
            lambda i, j, before=before: before[np.ix_(i, j)],
        )
        # A row is a sum of those of the documents that count for its label.
        shares = SQUARE * (found / roots) @ vectors.T  # (labels, documents)
        shares = weights.T.multiply(shares).tocsr()
        added = (added + shares @ own).tocsr()
    added.data[np.abs(added.data) < LEAST] = 0
    added.eliminate_zeros()
    places = np.full(model.num_labels, -1)
    spread = scipy.sparse.csr_matrix(
        (np.ones(len(labels), np.float32), (labels, np.arange(len(labels)))),
        (len(places), len(labels)),
    )
    linear = (tables.linear + spread @ added).tocsr().astype(np.float32)
    tables = dataclasses.replace(tables, linear=linear)
    return write_tables(model, tables, model.label_set.names)


def _read(model, texts):
    """Rows of words, or the texts themselves for a model of tokens."""
    return texts if model.vectorizer is None else model.vectorizer.transform(texts)


def _with_one(features):
    return np.column_stack([features, np.ones(len(features), np.float32)])
