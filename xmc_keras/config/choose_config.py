"""The config for a data set, chosen by its facts."""

import numpy as np

from xmc_keras.config.config_file import override_config
from xmc_keras.data.check_documents import check_trainable
from xmc_keras.text.choose_text_features import choose_text_features

# From this many training documents on: batch size, epochs, width of word embeddings.
# A step learns the less the fewer documents a label has, so that small data needs many
# small steps. Wide embeddings pay only for many documents: with 64 instead of 200 the
# validation splits of three sets of 5,000 to 12,000 documents are as good.
SIZES = (
    (20_000, 256, 5, 400),
    (5_000, 64, 6, 64),
    (1_000, 32, 10, 64),
    (0, 16, 20, 64),
)
PATIENCE = 3
MOST_RANDOM_NEGATIVES = 1500
# Bytes of a weight of the classifier in training: itself, its gradient, two moments of
# Adam, and the copy of the best epoch. They may take half of the memory.
WEIGHT_BYTES = 20
NARROWEST = 25
# With more labels, fitting a linear classifier of each takes hours.
MOST_LINEAR = 500_000


def choose_config(documents, overrides=(), room=None):
    """Chooses a config for training documents: a LightDXML of words, in minutes.

    On a CPU it trains in minutes, it knows all languages, and on the data sets of
    `docs/results/datasets.md` the linear model that is joined to it makes it better
    than linear models alone. A LightXML with a transformer takes hours without a GPU.

    Args:
        documents: `Documents` or `FeatureDocuments` to train on.
        overrides: iterable of strings `"key=value"`, which override what is chosen.
        room: optional result of `measure_free_memory`. With many labels, word
            embeddings are narrow enough for the memory of the machine; and with a GPU
            the reasons name a recipe for it. Defaults to `None`, no limit.

    Returns:
        `(config, reasons)`: a `Config`, and a list of sentences.

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
    """
    check_trainable(documents)
    num_documents = len(documents)
    num_labels = len({label for labels in documents.labels for label in labels})
    _, batch_size, epochs, dim = next(s for s in SIZES if num_documents >= s[0])
    room = room or {}
    memory = room.get("machine", float("inf")) / 2
    while WEIGHT_BYTES * num_labels * dim > memory and dim > NARROWEST:
        dim //= 2
    linear = num_labels <= MOST_LINEAR
    if getattr(documents, "features", None) is None:
        features, reason = choose_text_features(documents.texts)
        reason = f"max_ngram {features['max_ngram']}, char_ngrams " + (
            f"{features['char_ngrams']}: {reason}"
        )
    else:
        features, reason = {}, "features of the data, no texts"
    keys = {
        "system": "lightdxml",
        "encoder": "words",
        "embedding_dim": dim,
        "residual": False,
        "label_words": 64,
        "linear": linear,
        "epochs": epochs,
        "refresh": epochs,
        "patience": PATIENCE,
        "batch_size": batch_size,
        "predict_batch_size": 256,
        "learning_rate": 0.005,
        "head_learning_rate": 0.02,
        "warmup": 0,
        "weight_decay": 0,
        "initial_probability": float(np.clip(60 / num_labels, 1e-4, 0.01)),
        "shared_negatives": True,
        "num_neighbors": 1,
        "random_negatives": min(MOST_RANDOM_NEGATIVES, num_labels),
        "logq_correction": None,
        "candidates_from": "classifier",
        "proxy_epochs": 0,
        **features,
    }
    config = override_config(keys, overrides)
    labels = "label" if num_labels == 1 else "labels"
    reasons = [
        "system lightdxml, encoder words: minutes on a CPU, any language",
        reason,
        f"batch_size {config.batch_size}, epochs {config.epochs}, embedding_dim "
        f"{config.embedding_dim}: for {num_documents:,} documents",
    ]
    if linear:
        reasons.append(
            f"linear true: a linear model of {num_labels:,} {labels} is joined"
        )
    else:
        reasons.append(f"linear false: with {num_labels:,} labels it would take hours")
    if "GPU" in room:
        reasons.append(
            "not used: the GPU; a LightXML needs it, such as the recipe debian24k"
        )
    changed = [key for key, value in keys.items() if getattr(config, key) != value]
    if changed:
        reasons.append(f"as set: {', '.join(changed)}")
    return config, reasons
