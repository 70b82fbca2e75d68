"""Starting a training from the weights of an earlier model."""

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_clustering import compute_cluster_shape


def known_clusters(earlier, label_set, max_leaf):
    """The label clusters of an earlier `LightXML`, or None if others are needed."""
    clusters = np.array(earlier.label_clusters.clusters)
    shape = compute_cluster_shape(len(label_set), max_leaf)
    same = _names(earlier) == label_set.names and clusters.shape == shape
    return clusters if same else None


def start_lightxml(model, earlier):
    """Gives a built `LightXML` the weights of an earlier one.

    Args:
        model: a built `LightXML`.
        earlier: a `LightXML` with the same encoder.

    Returns:
        Whether its heads are those of the earlier model, too, a bool: they are, if
        names, clusters and sizes are the same.

    Raises:
        BadInput: the encoders differ.
    """
    # Imported late: TensorFlow takes seconds to import.
    from xmc_keras.ops.distribution.sharded_table import assign_whole

    same = _names(model) == _names(earlier) and np.array_equal(
        *(np.array(part.label_clusters.clusters) for part in (model, earlier))
    )
    if same and _shapes(model) == _shapes(earlier):
        for weight, value in zip(model.weights, earlier.get_weights()):
            assign_whole(weight, value)
        return True
    _copy_encoder(model, earlier)
    return False


def start_one_vs_all(model, earlier):
    """Does the same for an `OneVsAll`; rows of labels are those of the same names.

    Returns `True`, since all known rows are trained, if the widths are the same.
    """
    _copy_encoder(model, earlier)
    head, before = model.head, earlier.head
    if head.blocks[0].shape[1] != before.blocks[0].shape[1]:
        return False
    if head.bottleneck is not None:
        head.bottleneck.set_weights(before.bottleneck.get_weights())
    place_of = {name: place for place, name in enumerate(_names(earlier))}
    places = np.array([place_of.get(name, -1) for name in _names(model)])
    rows = np.concatenate([block.numpy() for block in before.blocks])
    known = np.flatnonzero(places >= 0)
    head.assign_rows(known, rows[places[known]])
    return True


def start_lightdxml(model, earlier):
    """Gives a built `LightDXML` the weights of an earlier one.

    Words and labels that only one of them has are left as they are.

    Args:
        model: a built `LightDXML`.
        earlier: a `LightDXML` with an encoder of the same kind and width.

    Raises:
        BadInput: the encoders differ.
    """
    if model.vectorizer is None or earlier.vectorizer is None:
        _copy_encoder(model, earlier)
    else:
        _copy_words(model, earlier)
    place_of = {name: place for place, name in enumerate(_names(earlier))}
    places = np.array([place_of.get(name, -1) for name in _names(model)])
    for weight, before in zip(model.classifier.weights, earlier.classifier.weights):
        _copy_rows(weight, before, places)


def _names(model):
    return None if model.label_set is None else model.label_set.names


def _shapes(layer):
    # Imported late: TensorFlow takes seconds to import.
    from xmc_keras.ops.distribution.sharded_table import whole_shape

    return [whole_shape(weight) for weight in layer.weights]


def _copy_words(model, earlier):
    """Copies the embeddings of words that both models know, and the block after."""
    # Imported late: TensorFlow takes seconds to import.
    from xmc_keras.text.word_vectorizer import find_hashes

    vectorizers = model.vectorizer, earlier.vectorizer
    places = find_hashes(*(part.hashes for part in reversed(vectorizers))).numpy()
    own, before = model.encoder, earlier.encoder
    if own.dim != before.dim or (own.block is None) != (before.block is None):
        raise BadInput(
            "Expected an encoder like the earlier model's, with "
            f"embedding_dim={before.dim} and residual={before.block is not None}. "
            f"Received: {own.dim} and {own.block is not None}."
        )
    _copy_rows(own.token_embeddings, before.token_embeddings, places)
    if own.block is not None:
        own.block.set_weights(before.block.get_weights())


def _copy_encoder(model, earlier):
    if _shapes(model.encoder) != _shapes(earlier.encoder):
        raise BadInput(
            "Expected an encoder with the weights of the earlier model's. Received: "
            f"{_describe(model.encoder)}, and {_describe(earlier.encoder)} there. "
            "Train with the same encoder and widths, or without the earlier model."
        )
    model.encoder.set_weights(earlier.encoder.get_weights())


def _describe(encoder):
    return f"{encoder.count_params():,} numbers in {len(encoder.weights)} weights"


def _copy_rows(weight, earlier, places):
    """Copies the rows `places` of a weight of the earlier model; `-1` for none."""
    values = weight.numpy()
    values[places >= 0] = earlier.numpy()[places[places >= 0]]
    weight.assign(values)
