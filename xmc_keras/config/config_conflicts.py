"""Keys of a config that exclude each other."""

import dataclasses

from xmc_keras.config.keys.config_key import format_value
from xmc_keras.config.keys.lightdxml_keys import LightDXMLKeys
from xmc_keras.config.keys.lightxml_keys import LightXMLKeys
from xmc_keras.config.keys.one_vs_all_keys import OneVsAllKeys
from xmc_keras.config.keys.shared_keys import SharedKeys
from xmc_keras.config.keys.transformer_keys import TransformerKeys

# Keys that not all systems read, by the systems that do.
_CLASSES = {
    ("lightxml", "one_vs_all"): TransformerKeys,
    ("lightxml",): LightXMLKeys,
    ("lightdxml",): LightDXMLKeys,
    ("one_vs_all",): OneVsAllKeys,
}
KEYS_BY_SYSTEMS = {
    systems: [field.name for field in dataclasses.fields(keys)]
    for systems, keys in _CLASSES.items()
}
DEFAULTS = {
    field.name: field.default
    for keys in _CLASSES.values()
    for field in dataclasses.fields(keys)
}
_NUM_FEATURE_LAYERS = SharedKeys.num_feature_layers  # the default
SYSTEMS_OF = {key: systems for systems, keys in KEYS_BY_SYSTEMS.items() for key in keys}


def reads_key(system, key):
    """Whether a system reads a key.

    Example:

    >>> [reads_key("one_vs_all", key) for key in ("top_k", "head_start", "epochs")]
    [False, True, True]
    """
    return system in SYSTEMS_OF.get(key, (system,))


def wrong_system(key, system):
    """The message on a key that other systems read."""
    others = SYSTEMS_OF[key]
    return (
        f"Expected keys of {system}. Received: {key}, a key of {' and '.join(others)}. "
        f"Remove it, or set system: {' or '.join(others)}."
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
    wrong = [
        ((key, "system"), wrong_system(key, system))
        for key, default in DEFAULTS.items()
        if not reads_key(system, key) and values[key] != default
    ]
    return wrong or [*_distribution_conflicts(values), *CONFLICTS[system](values)]


def _distribution_conflicts(values):
    distribute = values["distribute"]
    if values["replicas"] is not None and distribute != "mirrored":
        yield (
            ("replicas", "distribute"),
            "Expected replicas with distribute: mirrored; the workers of multi_worker "
            f"are those that are started. Received: distribute {distribute}.",
        )
    if distribute != "none" and values["precision"] == "mixed_float16":
        yield (
            ("precision", "distribute"),
            "Expected precision to be mixed_bfloat16 or float32 with distribute: each "
            "replica would scale its loss alone. Received: mixed_float16.",
        )
    if distribute != "none" and values["jit_compile"] is True:
        yield (
            ("jit_compile", "distribute"),
            "Expected jit_compile to be auto or false with distribute: XLA compiles no "
            "exchange with other replicas. Received: true.",
        )


def _transformer_conflicts(values):
    if values["shard_labels"] and values["distribute"] != "multi_worker":
        yield (
            ("shard_labels", "distribute"),
            "Expected distribute: multi_worker with shard_labels, whose workers hold "
            f"the shards. Received: distribute {values['distribute']}.",
        )
    system, epochs, start = (values[key] for key in ("system", "epochs", "swa_start"))
    if start is not None and start >= epochs:
        yield (
            ("swa_start", "epochs"),
            f"Expected swa_start to be below epochs ({epochs}), or nothing is "
            f"averaged. Received: {start}.",
        )
    if values["optimizer"] == "adamw" and values["table_dtype"] == "bfloat16":
        yield (
            ("table_dtype", "optimizer"),
            "Expected table_dtype to be float32 with adamw: only the others round "
            "stochastically. Received: bfloat16.",
        )
    if values["encoder"] == "words":
        yield (
            ("encoder", "system"),
            f"Expected a transformer as the encoder of {system}. Received: words. Set "
            "system: lightdxml.",
        )
    if values["schedule"] == "halving":
        yield (
            ("schedule", "system"),
            f"Expected schedule linear, constant or cosine for {system}. Received: "
            "halving.",
        )


def _one_vs_all_conflicts(values):
    yield from _transformer_conflicts(values)
    if values["momentum"] and values["optimizer"] != "rowwise_sgd":
        yield (
            ("momentum", "optimizer"),
            "Expected momentum with rowwise_sgd: Adam has its own. Received: optimizer "
            f"{values['optimizer']}. Set optimizer: rowwise_sgd, or momentum: 0.",
        )
    if values["momentum"] and values["table_dtype"] != "float32":
        yield (
            ("momentum", "table_dtype"),
            "Expected table_dtype to be float32 with momentum, which is float32, too. "
            f"Received: {values['table_dtype']}. Set momentum: 0, for a quarter of the "
            "memory, or table_dtype: float32.",
        )


def _lightxml_conflicts(values):
    yield from _transformer_conflicts(values)
    yield from _level_conflicts(values)
    epochs, recall = values["epochs"], values["recall_epochs"]
    static = values["negatives"] == "static"
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
    if values["shard_labels"] and values["max_leaf"] == 1:
        yield (
            ("shard_labels", "max_leaf"),
            "Expected shard_labels: false with max_leaf: 1: there is no label table. "
            "Received: true.",
        )
    if values["score"] == "label" and values["max_leaf"] == 1:
        yield (
            ("score", "max_leaf"),
            "Expected score to be product with max_leaf: 1: a cluster is a label, and "
            "there is no ranker. Received: label.",
        )


def _level_conflicts(values):
    levels, kept, layers = (
        values[key] for key in ("levels", "level_top_k", "level_layers")
    )
    numbers = levels or []
    if levels and values["max_leaf"] == 1:
        yield (
            ("levels", "max_leaf"),
            "Expected max_leaf above 1 with levels, whose last clusters hold labels to "
            "rank. Received: 1.",
        )
    if values["negatives"] == "static" and (levels or layers):
        yield (
            ("levels" if levels else "level_layers", "negatives"),
            "Expected negatives to be dynamic with levels and level_layers: static is "
            "the paper's ablation of its two heads. Received: static.",
        )
    if kept and len(kept) != len(numbers):
        yield (
            ("level_top_k", "levels"),
            f"Expected level_top_k with a number for each of levels, {len(numbers)}. "
            f"Received: {len(kept)}.",
        )
    elif kept and any(few > all_ for few, all_ in zip(kept, numbers)):
        yield (
            ("level_top_k", "levels"),
            f"Expected level_top_k to be at most the clusters of each level, {levels}. "
            f"Received: {kept}.",
        )
    heads = len(numbers) + (1 if values["max_leaf"] == 1 else 2)
    if layers and len(layers) != heads:
        yield (
            ("level_layers", "levels"),
            "Expected level_layers for each of levels, the clusters of max_leaf and, "
            f"unless max_leaf is 1, the labels: {heads}. Received: {len(layers)}.",
        )
    if layers and values["num_feature_layers"] != _NUM_FEATURE_LAYERS:
        yield (
            ("num_feature_layers", "level_layers"),
            "Expected level_layers or num_feature_layers, which both choose layers. "
            "Received: both.",
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


CONFLICTS = {
    "lightxml": _lightxml_conflicts,
    "lightdxml": _lightdxml_conflicts,
    "one_vs_all": _one_vs_all_conflicts,
}
