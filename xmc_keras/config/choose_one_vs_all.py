"""The keys of a one-vs-all model for a data set."""

from xmc_keras.config.choose_lightxml import choose_lightxml


def choose_one_vs_all(documents, num_labels, room):
    """Chooses the keys of a one-vs-all model with MiniLM: those of a LightXML.

    Args:
        documents, num_labels, room: see `choose_lightxml`.

    Returns:
        `(keys, reasons)`, see `choose_lightdxml`.

    Example:

    >>> from xmc_keras import Documents
    >>> documents = Documents(["a puzzle game for children"] * 40, [["game"]] * 40)
    >>> keys, _ = choose_one_vs_all(documents, 1, {})
    >>> keys["system"], keys["max_tokens"], "max_leaf" in keys
    ('one_vs_all', 32, False)
    """
    keys, reasons = choose_lightxml(documents, num_labels, room)
    keys = {**keys, "system": "one_vs_all"}
    keys.pop("max_leaf", None)
    return keys, [pair for pair in reasons if pair[0] != ("max_leaf",)]
