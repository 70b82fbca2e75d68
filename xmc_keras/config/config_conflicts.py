"""Keys of a config that do not go together."""


def find_conflicts(values):
    """What is wrong with values that are each right but do not go together.

    Args:
        values: dictionary of all keys.

    Returns:
        A list of `(keys, message)`, the keys at fault with the likeliest first.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(data="texts", encoder="minilm", epochs=3)
    >>> find_conflicts({**vars(config), "swa_start": 3})[0][0]
    ('swa_start', 'epochs')
    """
    found = []
    epochs, start, recall = (
        values[key] for key in ("epochs", "swa_start", "recall_epochs")
    )
    if start is not None and start >= epochs:
        found.append(
            (
                ("swa_start", "epochs"),
                f"Expected swa_start to be below epochs ({epochs}), or nothing is "
                f"averaged. Received: {start}.",
            )
        )
    if values["negatives"] == "static" and recall >= epochs:
        found.append(
            (
                ("recall_epochs", "epochs", "negatives"),
                f"Expected recall_epochs to be below epochs ({epochs}), or the ranker "
                f"is not trained. Received: {recall}.",
            )
        )
    if values["optimizer"] == "rowwise_sgd" and values["label_learning_rate"] is None:
        found.append(
            (
                ("label_learning_rate", "optimizer"),
                "Expected label_learning_rate to be given for rowwise_sgd, whose steps "
                "are as small as the gradient. Received: null.",
            )
        )
    if values["optimizer"] == "adamw" and values["table_dtype"] == "bfloat16":
        found.append(
            (
                ("table_dtype", "optimizer"),
                "Expected table_dtype to be float32 for adamw: the others "
                "round at random. Received: bfloat16.",
            )
        )
    if values["negatives"] == "static" and values["max_leaf"] == 1:
        found.append(
            (
                ("negatives", "max_leaf"),
                "Expected negatives to be dynamic where max_leaf is 1: there is no "
                "ranker to choose negatives for. Received: static.",
            )
        )
    if values["ranking_encoder"] == "own" and values["negatives"] != "static":
        found.append(
            (
                ("ranking_encoder", "negatives"),
                "Expected ranking_encoder to be shared where negatives are dynamic: "
                "they are what generator and ranker share. Received: own.",
            )
        )
    if values["score"] == "label" and values["max_leaf"] == 1:
        found.append(
            (
                ("score", "max_leaf"),
                "Expected score to be product where max_leaf is 1: a cluster is a "
                "label, and there is no ranker. Received: label.",
            )
        )
    return found + find_lightdxml_conflicts(values)


# What LightDXML has none of, and the value that says so.
ONLY = (
    ("swa_start", None),
    ("negatives", "dynamic"),
    ("score", "product"),
    ("cluster_seed", None),
    ("head_start", "random"),
)


def find_lightdxml_conflicts(values):
    """Those of the keys of LightDXML."""
    found = []
    if (values["schedule"] == "halving") != (values["halve_at"] is not None):
        found.append(
            (
                ("halve_at", "schedule"),
                "Expected halve_at with schedule halving, and with no other. Received: "
                f"schedule {values['schedule']} and halve_at {values['halve_at']}.",
            )
        )
    if values["halve_at"] is not None and halving_epochs(values["halve_at"]) is None:
        found.append(
            (
                ("halve_at",),
                "Expected halve_at to be rising epochs from 1 on, as in 14,21,25. "
                f"Received: {values['halve_at']!r}.",
            )
        )
    if values["random_negatives"] and not values["shared_negatives"]:
        found.append(
            (
                ("random_negatives", "shared_negatives"),
                "Expected random_negatives with shared_negatives: they are drawn for a "
                f"batch. Received: {values['random_negatives']}.",
            )
        )
    if values["logq_correction"] and not values["shared_negatives"]:
        found.append(
            (
                ("logq_correction", "shared_negatives"),
                "Expected logq_correction with shared_negatives: a document's own "
                f"are not drawn. Received: {values['logq_correction']}.",
            )
        )
    if values["label_words"] and values["encoder"] != "words":
        found.append(
            (
                ("label_words", "encoder"),
                "Expected label_words to be 0 with an encoder of subwords, which sees "
                f"no words. Received: {values['label_words']}.",
            )
        )
    if values["system"] == "lightxml":
        if values["encoder"] == "words":
            found.append(
                (
                    ("encoder", "system"),
                    "Expected a transformer as the encoder of lightxml. Received: "
                    "words. Set system: lightdxml.",
                )
            )
        if values["schedule"] == "halving":
            found.append(
                (
                    ("schedule", "system"),
                    "Expected schedule linear or constant for lightxml. Received: "
                    "halving.",
                )
            )
        return found
    for key, only in ONLY:
        if values[key] != only:
            found.append(
                (
                    (key, "system"),
                    f"Expected {key} to be {'null' if only is None else only} for "
                    f"lightdxml, which has no such thing. Received: {values[key]}.",
                )
            )
    if values["optimizer"] == "rowwise_sgd" or values["table_dtype"] != "float32":
        found.append(
            (
                ("optimizer", "table_dtype", "system"),
                "Expected an optimizer of AdamW's kind and table_dtype float32 for "
                f"lightdxml. Received: {values['optimizer']}, {values['table_dtype']}.",
            )
        )
    return found


def halving_epochs(text):
    """The integers of `halve_at`; None if it is no list of rising ones.

    >>> halving_epochs("14, 21,25"), halving_epochs(14), halving_epochs("3,2")
    ([14, 21, 25], [14], None)
    """
    try:
        epochs = [int(part) for part in str(text).split(",")]
    except ValueError:
        return None
    rising = all(a < b for a, b in zip([0, *epochs], epochs))
    return epochs if rising else None
