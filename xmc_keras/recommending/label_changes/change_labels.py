"""Removing and renaming labels of a trained model."""

from collections.abc import Mapping

import numpy as np

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.recommending.label_changes.copy_model import set_titles


def remove_labels(model, names):
    """Removes labels from a trained model.

    The others keep their names, order and weights. Ids are places in this order, so
    those behind a removed label move up: what has to last across changes of a model is
    kept by name.

    Args:
        model: see `add_labels`. It stays as it is.
        names: list of strings.

    Returns:
        A new model, not compiled.

    Raises:
        BadInput: a label is unknown, or none would be left.

    Example:

    >>> from xmc_keras import LightDXMLClassifier
    >>> texts, labels = ["a card game", "an editor"] * 10, [["game"], ["tool"]] * 10
    >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels).model_
    >>> remove_labels(model, ["game"]).label_set.names
    ['tool']
    """
    if isinstance(names, str):
        raise BadInput(f"Expected a list of labels. Received: {names!r:.60}, a string.")
    label_set = _label_set(model)
    gone = {_known(label_set, name) for name in names}
    places = np.array([i for i in range(len(label_set)) if i not in gone], int)
    if not len(places):
        raise BadInput(
            "Expected a label that stays. Received: the names of all "
            f"{len(label_set)} labels."
        )
    kept = [label_set.names[place] for place in places]
    changed = model.select_labels(places, kept)
    set_titles(changed, label_set.titles)
    if model.calibration is not None:
        changed.calibration = model.calibration.select_labels(places)
    return changed


def rename_labels(model, names):
    """Renames labels of a trained model; ids and weights stay.

    Args:
        model: see `add_labels`. It stays as it is.
        names: dictionary from names to other names. Two labels may swap theirs.

    Returns:
        A new model, not compiled.

    Raises:
        BadInput: a label is unknown, or another one has the new name.

    Example:

    >>> from xmc_keras import LightDXMLClassifier
    >>> texts, labels = ["a card game", "an editor"] * 10, [["game"], ["tool"]] * 10
    >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels).model_
    >>> rename_labels(model, {"game": "play"}).label_set.names
    ['play', 'tool']
    """
    label_set = _label_set(model)
    renamed = new_names(label_set, names)
    places = np.arange(len(label_set))
    changed = model.select_labels(places, renamed)
    own = dict(zip(label_set.names, renamed))
    titles = {own[name]: title for name, title in label_set.titles.items()}
    set_titles(changed, titles)
    changed.calibration = model.calibration
    return changed


def new_names(label_set, names):
    """The names of all labels after a change, see `rename_labels`."""
    others = list(label_set.names)
    for name, other in check_mapping(names).items():
        others[_known(label_set, name)] = other
    seen = set()
    for other in others:
        if other in seen:
            raise BadInput(
                f"Expected a name that no other label has. Received: {other!r:.60}."
            )
        seen.add(other)
    try:
        return LabelSet(others).names
    except ValueError as error:
        raise BadInput(str(error)) from None


def check_mapping(names):
    """A dictionary of labels as it is; raises `BadInput` for something else."""
    if not isinstance(names, Mapping) or not names:
        raise BadInput(f"Expected a dictionary of labels. Received: {names!r:.60}.")
    return names


def _label_set(model):
    if model.label_set is None:
        raise BadInput("Expected a model with `label_names`. Received: one without.")
    return model.label_set


def _known(label_set, name):
    """The id of a label; raises `BadInput`."""
    try:
        return label_set.id(name)
    except (ValueError, TypeError):
        raise BadInput(
            f"Expected one of the {len(label_set)} labels of the model. Received: "
            f"{name!r:.60}."
        ) from None
