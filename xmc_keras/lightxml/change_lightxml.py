"""A LightXML with other labels: rows taken over, and rows for new labels."""

import numpy as np
import tensorflow as tf

from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.row_prior import RowPrior
from xmc_keras.lightxml.join_clusters import join_clusters, leave_clusters
from xmc_keras.ops.elementwise import logit
from xmc_keras.recommending.label_changes.copy_model import copy_model, select_rows

OLD_DOCUMENTS = 1000  # without a new label, that its row is fitted to


def select_labels(model, places, names):
    """A copy of a built `LightXML` with some of its labels.

    Clusters keep their numbers and scores, and those without labels stay: what the
    generator finds is what it found. With one label in each cluster, clusters leave
    with their labels.

    Args:
        model: a `LightXML`, which stays as it is.
        places: int array (labels,). Ids of the labels to keep, in the order of the new
            ones.
        names: list of strings, their names.
    """
    clusters = np.array(model.label_clusters.clusters)
    if is_one_label(model):
        columns = clusters_of(model, places)
        return _copy(model, np.arange(len(places))[:, None], names, columns=columns)
    return _copy(model, leave_clusters(clusters, places), names, places)


def extend_labels(model, examples):
    """A copy of a built `LightXML` with new labels, see `add_labels`.

    A new label joins the cluster that the model finds for its documents: the one with
    the highest mean probability over them that has room. Clusters get as wide as it
    takes, at most a quarter wider than if all were equal. The row of the ranker is
    fitted to the documents for which the cluster is a candidate, as in training. With
    one label in each cluster, each new label is a new cluster.

    Args:
        model: a `LightXML`, which stays as it is.
        examples: `LabelExamples`.
    """
    drawn = examples.draw(OLD_DOCUMENTS)
    features = encode_documents(model.encoder, build_inputs(model, drawn.texts))
    parts = [tf.convert_to_tensor(part) for part in model.split_features(features)]
    names, targets = [*model.label_set.names, *examples.names], drawn.label_matrix
    places = np.arange(len(model.label_set))
    if is_one_label(model):
        return _extend_generator(model, names, examples, drawn, parts[0].numpy())
    probabilities = cluster_probabilities(model, parts)  # (documents, clusters)
    counts = np.maximum(np.asarray(targets.sum(axis=0)).ravel(), 1)
    fit = (targets.T @ probabilities) / counts[:, None]
    clusters = join_clusters(np.array(model.label_clusters.clusters), fit)
    copy = _copy(model, clusters, names, places)
    if model.ranker is None:
        return copy
    new = np.arange(len(places), len(names))
    best = tf.math.top_k(probabilities, model.label_clusters.top_k).indices.numpy()
    kept = np.zeros(probabilities.shape, bool)
    np.put_along_axis(kept, best, True, axis=1)
    candidate = kept[:, clusters_of(copy, new)] | (targets.toarray() > 0)
    hidden = tf.cast(model.ranker.bottleneck(parts[-1]), tf.float32).numpy()
    table = label_rows(model)
    rows = RowPrior(examples.known_rows(table)).fit_rows(
        hidden,
        targets.toarray(),
        drawn.weights * candidate,
        logit(model.ranker.initial_probability),
        drawn.strength,
    )
    set_label_rows(copy, np.concatenate([table, rows]))
    return copy


def _extend_generator(model, names, examples, drawn, features):
    """New clusters of one label each: columns and biases of the generator."""
    kernel, bias = model.generator.kernel.numpy(), model.generator.bias.numpy()
    table = np.concatenate([kernel, bias[None]]).T  # in the order of clusters
    order = np.array(model.generator.clusters)[:, 0]
    known = np.empty_like(table)
    known[order] = table
    features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    rows = RowPrior(examples.known_rows(known)).fit_rows(
        features, drawn.label_matrix.toarray(), drawn.weights, 0.0, drawn.strength
    )
    places = np.arange(len(names))
    clusters = np.concatenate([order, places[len(order) :]])[:, None]
    columns = np.concatenate([np.arange(len(order)), np.full(len(rows), -1)])
    copy = _copy(model, clusters, names, columns=columns)
    table = np.concatenate([table, rows]).T
    copy.generator.kernel.assign(table[:-1])
    copy.generator.bias.assign(table[-1])
    return copy


def is_one_label(model):
    """Whether each cluster has one label, and the generator scores labels."""
    return (
        not model.levels
        and model.ranker is None
        and (model.generator.cluster_size == 1)
    )


def clusters_of(model, label_ids):
    """Cluster ids of label ids, both int arrays (labels,)."""
    rows = np.array(model.label_clusters.label_rows)[label_ids]
    return rows // model.label_clusters.cluster_size


def label_rows(model):
    """Rows of the ranker's table in the order of labels, float32 (labels, dim)."""
    table = np.asarray(model.ranker.label_embeddings, np.float32)
    return table[np.array(model.label_clusters.label_rows)]


def set_label_rows(model, rows):
    """Replaces what `label_rows` returns."""
    table = np.zeros(model.ranker.label_embeddings.shape, np.float32)
    table[np.array(model.label_clusters.label_rows)] = rows
    model.ranker.label_embeddings.assign(table)


def cluster_probabilities(model, parts):
    """Probabilities of the clusters that hold labels, float32 (documents, clusters).

    The products over all levels of a cascade.

    Args:
        model: a `LightXML`.
        parts: list of float tensors (documents, dim), see `split_features`.
    """
    found = tf.sigmoid(model.generator.cluster_logits(parts[0]))
    above = model.generator
    for level, part in zip(model.levels, parts[1:]):
        ids = tf.range(level.num_clusters)
        logits = level.ranker.logits(part, ids)
        found = tf.gather(found, above.clusters_of(ids), axis=1) * tf.sigmoid(logits)
        above = level
    return found.numpy()


def _copy(model, clusters, names, places=None, columns=None):
    """A copy with other clusters, and the rows of `places` or columns of clusters."""
    config = model.get_config()
    layer = config["levels"][-1] if model.levels else config["generator"]
    num_clusters, cluster_size = clusters.shape
    top_k = model.label_clusters.top_k
    if columns is not None:
        if top_k == model.generator.num_clusters:  # all of fewer labels
            top_k = max(top_k, model.num_predictions)
        top_k = min(top_k, num_clusters)
    layer["config"] |= {
        "num_labels": len(names),
        "num_clusters": num_clusters,
        "cluster_size": cluster_size,
        "top_k": top_k,
    }
    if model.ranker is not None:
        config["ranker"]["config"]["num_labels"] = clusters.size
    copy = copy_model(model, config, names)
    weights = model.generator.kernel.numpy(), model.generator.bias.numpy()
    if columns is not None:
        weights = (
            select_rows(weights[0].T, columns).T,
            select_rows(weights[1], columns),
        )
    copy.generator.kernel.assign(weights[0])
    copy.generator.bias.assign(weights[1])
    if model.levels:
        for own in ("clusters", "label_rows"):
            getattr(copy.generator, own).assign(getattr(model.generator, own))
    for own, before in zip(copy.levels, model.levels):
        own.ranker.set_weights(before.ranker.get_weights())
        if own is not copy.levels[-1]:
            own.clusters.assign(before.clusters)
            own.label_rows.assign(before.label_rows)
    rows = np.flatnonzero(clusters.ravel() >= 0)
    label_rows_ = np.empty(len(names), np.int64)
    label_rows_[clusters.ravel()[rows]] = rows
    copy.label_clusters.clusters.assign(clusters)
    copy.label_clusters.label_rows.assign(label_rows_)
    if model.ranker is not None:
        copy.ranker.bottleneck.set_weights(model.ranker.bottleneck.get_weights())
        table = np.zeros((len(names), model.ranker.bottleneck_dim), np.float32)
        table[: len(places)] = label_rows(model)[places]
        set_label_rows(copy, table)
    return copy
