"""The keys of a one-vs-all model for a data set."""

import numpy as np

from xmc_keras.config.choose_lightxml import choose_lightxml

# Limits of the score that every label starts with.
LEAST, MOST = 1e-5, 0.01


def choose_one_vs_all(documents, num_labels, room):
    """Chooses the keys of a one-vs-all model with MiniLM: those of a LightXML.

    Except the initial score of a label, which is the share of documents that a label
    has on average. By 0.01 each of 24,043 labels of Debian-24K starts 30 times too
    high, and the first epoch goes into learning that.

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
    labels = np.mean([len(row) for row in documents.labels])  # of a document
    share = np.clip(labels / num_labels, LEAST, MOST)
    keys["initial_probability"] = float(f"{share:.1g}")
    reasons = [pair for pair in reasons if pair[0] != ("max_leaf",)]
    reason = f"{labels:.1f} of {num_labels:,} labels apply to a document"
    return keys, [*reasons, (("initial_probability",), reason)]
