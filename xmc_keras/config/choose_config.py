"""The config for a data set, chosen by its facts."""

import logging

from xmc_keras.config.choose_lightdxml import choose_lightdxml
from xmc_keras.config.choose_lightxml import choose_lightxml
from xmc_keras.config.choose_one_vs_all import choose_one_vs_all
from xmc_keras.config.config_file import override_config, read_overrides
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.data.check_documents import check_reads_features, check_trainable
from xmc_keras.data.label_texts import find_label_titles

logger = logging.getLogger(__name__)

CHOICES = {
    "lightdxml": choose_lightdxml,
    "lightxml": choose_lightxml,
    "one_vs_all": choose_one_vs_all,
}


def choose_config(documents, overrides=(), room=None):
    """Chooses a config for training documents: a LightDXML of words, in minutes.

    On a CPU it trains in minutes, it knows all languages, and on the data sets of
    `docs/results/datasets.md` the linear model that is joined to it makes it better
    than linear models alone. A LightXML with a transformer takes hours without a GPU:
    it is chosen for by `system=lightxml`.

    Args:
        documents: `Documents` or `FeatureDocuments` to train on.
        overrides: iterable of strings `"key=value"`, or a dictionary of keys and
            values. They override what is chosen.
        room: optional result of `measure_free_memory`. With many labels, word
            embeddings are narrow enough for the memory of the machine; and with a GPU
            the reasons name a recipe for it. Defaults to `None`, no limit.

    Returns:
        `(config, reasons)`: a `Config`, and a list of sentences, which are logged, too.

    Raises:
        BadInput: there is nothing to train on, or an override is wrong.

    Example:

    >>> from xmc_keras import Documents
    >>> texts, labels = ["a puzzle game", "an editor"] * 40, [["game"], ["editor"]] * 40
    >>> config, reasons = choose_config(Documents(texts, labels), ["epochs=2"])
    >>> config.system, config.batch_size, config.epochs, config.linear
    ('lightdxml', 16, 2, True)
    >>> for reason in reasons:
    ...     print(reason)
    system lightdxml, encoder words: minutes on a CPU, any language
    ...
    as set: epochs
    """
    check_trainable(documents)
    num_labels = len({label for labels in documents.labels for label in labels})
    room = room or {}
    system = read_overrides(overrides).get("system")
    choose = CHOICES.get(system, choose_lightdxml)
    is_features = getattr(documents, "features", None) is not None
    if is_features and choose is not choose_lightdxml:
        check_reads_features(override_config({"encoder": "minilm"}), None)
    keys, reasons = choose(documents, num_labels, room)
    if find_label_titles(documents):
        keys = {**keys, "titles": True}
        reasons = [*reasons, (["titles"], "the labels have titles")]
    config = override_config(keys, overrides)
    changed = [key for key, value in keys.items() if getattr(config, key) != value]
    found = []
    for names, why in reasons:
        chosen = [name for name in names if name not in changed]
        if chosen:
            values = (
                f"{name} {format_value(getattr(config, name))}" for name in chosen
            )
            found.append(f"{', '.join(values)}: {why}")
    if is_features:
        found.append("features of the data, no texts")
    if "GPU" in room and config.system == "lightdxml":
        found.append(
            "not used: the GPU; a LightXML needs it, such as the recipe debian24k"
        )
    if changed:
        found.append(f"as set: {', '.join(changed)}")
    for reason in found:
        logger.info("Chosen: %s", reason)
    return config, found
