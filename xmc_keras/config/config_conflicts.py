"""Keys of a config that exclude each other."""

import dataclasses

from xmc_keras.config.config_key import format_value
from xmc_keras.config.lightdxml_keys import LightDXMLKeys
from xmc_keras.config.lightxml_keys import LightXMLKeys

# Keys that only one system reads, with their defaults.
SYSTEM_KEYS = {
    system: {field.name: field.default for field in dataclasses.fields(keys)}
    for system, keys in (("lightxml", LightXMLKeys), ("lightdxml", LightDXMLKeys))
}


def system_of(key):
    """The only system that reads a key; None for a key of both.

    >>> system_of("top_k"), system_of("refresh"), system_of("epochs")
    ('lightxml', 'lightdxml', None)
    """
    found = [system for system, keys in SYSTEM_KEYS.items() if key in keys]
    return found[0] if found else None


def wrong_system(key, system):
    """The message on a key that the other system reads."""
    other = system_of(key)
    return (
        f"Expected keys of {system}. Received: {key}, a key of {other}. Remove it, or "
        f"set system: {other}."
    )


def find_conflicts(values):
    """Finds values that are each valid but exclude each other.

    Args:
        values: dictionary of all keys.

    Returns:
        A list of `(keys, message)`, the keys at fault with the likeliest first.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(encoder="minilm", epochs=3)
    >>> find_conflicts({**vars(config), "swa_start": 3})[0][0]
    ('swa_start', 'epochs')
    """
    system = values["system"]
    other = "lightdxml" if system == "lightxml" else "lightxml"
    wrong = [
        ((key, "system"), wrong_system(key, system))
        for key, default in SYSTEM_KEYS[other].items()
        if values[key] != default
    ]
    own = _lightxml_conflicts if system == "lightxml" else _lightdxml_conflicts
    return wrong or list(own(values))


def _lightxml_conflicts(values):
    epochs, start, recall = (
        values[key] for key in ("epochs", "swa_start", "recall_epochs")
    )
    static = values["negatives"] == "static"
    if start is not None and start >= epochs:
        yield (
            ("swa_start", "epochs"),
            f"Expected swa_start to be below epochs ({epochs}), or nothing is "
            f"averaged. Received: {start}.",
        )
    if static and recall >= epochs:
        yield (
            ("recall_epochs", "epochs", "negatives"),
            f"Expected recall_epochs to be below epochs ({epochs}), or the ranker is "
            f"not trained. Received: {recall}.",
        )
    if values["optimizer"] == "rowwise_sgd" and values["label_learning_rate"] is None:
        yield (
            ("label_learning_rate", "optimizer"),
            "Expected label_learning_rate with rowwise_sgd, whose steps are as small "
            "as the gradient. Received: null.",
        )
    if values["optimizer"] == "adamw" and values["table_dtype"] == "bfloat16":
        yield (
            ("table_dtype", "optimizer"),
            "Expected table_dtype to be float32 with adamw: only the others round "
            "stochastically. Received: bfloat16.",
        )
    if static and values["max_leaf"] == 1:
        yield (
            ("negatives", "max_leaf"),
            "Expected negatives to be dynamic with max_leaf: 1: there is no ranker to "
            "choose negatives for. Received: static.",
        )
    if values["ranking_encoder"] == "own" and not static:
        yield (
            ("ranking_encoder", "negatives"),
            "Expected ranking_encoder to be shared with dynamic negatives: generator "
            "and ranker learn from one representation. Received: own.",
        )
    if values["score"] == "label" and values["max_leaf"] == 1:
        yield (
            ("score", "max_leaf"),
            "Expected score to be product with max_leaf: 1: a cluster is a label, and "
            "there is no ranker. Received: label.",
        )
    if values["encoder"] == "words":
        yield (
            ("encoder", "system"),
            "Expected a transformer as the encoder of lightxml. Received: words. Set "
            "system: lightdxml.",
        )
    if values["schedule"] == "halving":
        yield (
            ("schedule", "system"),
            "Expected schedule linear or constant for lightxml. Received: halving.",
        )


def _lightdxml_conflicts(values):
    if (values["schedule"] == "halving") != (values["halve_at"] is not None):
        yield (
            ("halve_at", "schedule"),
            "Expected halve_at with schedule: halving, and with no other. Received: "
            f"schedule {values['schedule']} and halve_at "
            f"{format_value(values['halve_at'])}.",
        )
    if values["random_negatives"] and not values["shared_negatives"]:
        yield (
            ("random_negatives", "shared_negatives"),
            "Expected random_negatives with shared_negatives: they are drawn for a "
            f"batch. Received: {values['random_negatives']}.",
        )
    if values["logq_correction"] and not values["shared_negatives"]:
        yield (
            ("logq_correction", "shared_negatives"),
            "Expected logq_correction with shared_negatives: the shortlist of a single "
            f"document is not sampled. Received: {values['logq_correction']}.",
        )
    if values["label_words"] and values["encoder"] != "words":
        yield (
            ("label_words", "encoder"),
            "Expected label_words to be 0 with a transformer, which reads subwords. "
            f"Received: {values['label_words']}.",
        )
    if values["linear"] and not values["label_words"]:
        yield (
            ("linear", "label_words"),
            "Expected label_words with linear: true, which joins them. Received: "
            "label_words 0.",
        )
    if values["linear_c"] is not None and not values["linear"]:
        yield (
            ("linear_c", "linear"),
            "Expected linear_c with linear: true, whose loss it weighs. Received: "
            f"{values['linear_c']}.",
        )
    if values["optimizer"] == "rowwise_sgd":
        yield (
            ("optimizer", "system"),
            "Expected an AdamW optimizer for lightdxml. Received: rowwise_sgd.",
        )
