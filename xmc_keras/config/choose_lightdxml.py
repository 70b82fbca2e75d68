"""The keys of a LightDXML for a data set."""

import numpy as np

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


def choose_lightdxml(documents, num_labels, room):
    """Chooses the keys of a LightDXML over words, joined with a linear model.

    Args:
        documents: `Documents` or `FeatureDocuments` to train on.
        num_labels: int. Labels that they have.
        room: result of `measure_free_memory`, or an empty dictionary.

    Returns:
        `(keys, reasons)`: a dictionary for `override_config`, and a list of pairs of
        a tuple of keys and why they have their values.

    Example:

    >>> from xmc_keras import Documents
    >>> documents = Documents(["a game", "an editor"] * 40, [["x"], ["y"]] * 40)
    >>> choose_lightdxml(documents, 2, {})[0]["batch_size"]
    16
    """
    num_documents = len(documents)
    _, batch_size, epochs, dim = next(s for s in SIZES if num_documents >= s[0])
    memory = room.get("machine", float("inf")) / 2
    while WEIGHT_BYTES * num_labels * dim > memory and dim > NARROWEST:
        dim //= 2
    features, reasons = {}, []
    if getattr(documents, "features", None) is None:
        features, why = choose_text_features(documents.texts)
        # What the reason is about.
        key = "char_ngrams" if features["max_ngram"] == 1 else "max_ngram"
        reasons = [((key,), why)]
    keys = {
        "system": "lightdxml",
        "encoder": "words",
        "embedding_dim": dim,
        "residual": False,
        "label_words": 64,
        "linear": num_labels <= MOST_LINEAR,
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
    few = "label" if num_labels == 1 else "labels"
    linear = f"a linear model of {num_labels:,} {few} is joined"
    if not keys["linear"]:
        linear = f"with {num_labels:,} labels it would take hours"
    reasons = [
        (("system", "encoder"), "minutes on a CPU, any language"),
        *reasons,
        (
            ("batch_size", "epochs", "embedding_dim"),
            f"for {num_documents:,} documents",
        ),
        (("linear",), linear),
    ]
    return keys, reasons
