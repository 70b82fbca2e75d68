"""Copies of models with other labels."""

from xmc_keras.labels.label_set import LabelSet


def copy_model(model, config, names):
    """A model of another config, with the encoder and vocabulary of a given one.

    Args:
        model: a built `Recommender` with an `encoder`.
        config: dictionary, `model.get_config()` with the sizes of other labels.
        names: list of strings, or None. The labels.

    Returns:
        A built model, not compiled. Weights that belong to labels are those of a new
        model.
    """
    if "tokenizer" in config:
        config = {**config, "tokenizer": None}  # set below
    copy = type(model).from_config(config)
    # Shared: nothing changes them, and a config has no vocabulary.
    for name in ("tokenizer", "vectorizer"):
        if getattr(model, name, None) is not None:
            setattr(copy, name, getattr(model, name))
    if names is not None:
        copy.label_set = LabelSet(names)
    copy.build_from_config(model.get_build_config())
    copy.encoder.set_weights(model.encoder.get_weights())
    return copy


def set_titles(model, titles):
    """Sets the titles of labels, a dictionary by names, of a model and its members."""
    members = [getattr(model, name, None) for name in ("transformer", "words")]
    for member in filter(None, members) if any(members) else [model]:
        member.label_set = LabelSet(member.label_set.names, titles)


def select_rows(array, places):
    """Rows of an array by their places; rows of zeros for `-1`.

    Example:

    >>> import numpy as np
    >>> select_rows(np.array([[1, 2], [3, 4]]), [1, -1]).tolist()
    [[3, 4], [0, 0]]
    """
    rows = array[[max(place, 0) for place in places]]
    rows[[place < 0 for place in places]] = 0
    return rows
