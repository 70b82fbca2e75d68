"""Corrections of a LightXML: the rows of its clusters and labels."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.row_corrections import RowCorrections, limit_weights
from xmc_keras.lightxml.change_lightxml import is_one_label, label_rows, set_label_rows

# Clusters hold labels of more documents than a label has.
GENERATOR = {"strength": 80.0, "most": 8}


def correct_labels(model, corrections):
    """Changes a built `LightXML` so that it is right on documents, see `learn`.

    As in training, clusters and labels are corrected apart: clusters to hold a label
    that applies, and labels among those that are candidates.

    Args:
        model: a `LightXML`, which changes.
        corrections: `Corrections`.
    """
    parts, old = (
        [tf.convert_to_tensor(part) for part in model.split_features(features)]
        for features in (
            encode_documents(model.encoder, build_inputs(model, texts))
            for texts in (corrections.texts, corrections.old_texts)
        )
    )
    generator = model.generator
    logits = generator.cluster_logits(parts[0]).numpy()
    targets = scipy.sparse.csr_matrix(corrections.targets)
    held = [level_targets(model, targets, number) for number in range(len(old) + 1)]
    if is_one_label(model):
        weights, settings = _spread(corrections, held[0].shape[1], model), {}
    else:  # every cluster learns from every document
        weights = limit_weights(np.ones(held[0].shape), held[0], GENERATOR["most"])
        settings = {**GENERATOR, "most": held[0].shape[0]}
    change = RowCorrections(_with_one(old[0])).fit(
        _with_one(parts[0]),
        held[0],
        weights,
        lambda i, j: logits[np.ix_(i, j)],
        **settings,
    )
    generator.kernel.assign_add(change[:, :-1].T)
    generator.bias.assign_add(change[:, -1])
    for number, level in enumerate(model.levels, 1):
        _correct_level(level, parts[number], old[number], held[number])
    if model.ranker is None:
        return model
    labels = corrections.labels
    rows = np.array(model.label_clusters.label_rows)[labels]
    logits = model.ranker.logits(parts[-1], tf.constant(rows)).numpy()
    hidden, before = (_hidden(model.ranker, part[-1]) for part in (parts, old))
    change = RowCorrections(before).fit(
        hidden,
        corrections.own_targets,
        corrections.weights,
        lambda i, j: logits[np.ix_(i, j)],
    )
    table = label_rows(model)
    table[labels] += change
    set_label_rows(model, table)
    return model


def level_targets(model, targets, number):
    """Which clusters of a level hold a label that applies, csr (documents, clusters).

    Args:
        model: a `LightXML`.
        targets: csr matrix (documents, labels).
        number: int. 0 is the generator; a number beyond the levels is for none.
    """
    layers = [model.generator, *model.levels]
    if number >= len(layers):
        return None
    ids = tf.range(targets.shape[1])
    for layer in reversed(layers[number:]):
        ids = layer.clusters_of(ids)
    held = ids.numpy()
    shape = len(held), layers[number].num_clusters
    of_labels = scipy.sparse.csr_matrix(
        (np.ones(len(held), np.float32), (np.arange(len(held)), held)), shape
    )
    found = (targets @ of_labels).tocsr()
    found.data[:] = 1
    return found


def _correct_level(level, part, old, targets):
    """Corrects the rows of the clusters that a level ranks."""
    every = tf.range(level.num_clusters)
    logits = level.ranker.logits(part, every).numpy()
    best = np.argsort(-logits, axis=1)[:, : level.top_k]
    weights = np.zeros(logits.shape, np.float32)
    np.put_along_axis(weights, best, 1, axis=1)
    weights = scipy.sparse.csr_matrix(np.maximum(weights, targets.toarray()))
    change = RowCorrections(_hidden(level.ranker, old)).fit(
        _hidden(level.ranker, part),
        targets,
        weights,
        lambda i, j: logits[np.ix_(i, j)],
    )
    table = np.asarray(level.ranker.label_embeddings, np.float32)
    level.ranker.label_embeddings.assign(table + change)


def _spread(corrections, num_clusters, model):
    """Weights of clusters with one label each, csr (documents, clusters)."""
    clusters = np.array(model.generator.label_rows)[corrections.labels]
    own = corrections.weights.tocoo()
    shape = own.shape[0], num_clusters
    return scipy.sparse.csr_matrix((own.data, (own.row, clusters[own.col])), shape)


def _hidden(ranker, part):
    return tf.cast(ranker.bottleneck(part), tf.float32).numpy()


def _with_one(part):
    return np.column_stack([part.numpy(), np.ones(len(part), np.float32)])
