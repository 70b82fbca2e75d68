"""Keys of a config that do not go together."""


def conflicts(values):
    """What is wrong with values that are each right but do not go together.

    Args:
        values: dictionary of all keys.

    Returns:
        A list of `(keys, message)`, the keys at fault with the likeliest first.

    Example:

    >>> from xmc_keras.config import Config
    >>> config = Config(data="texts", encoder="minilm", epochs=3)
    >>> conflicts({**vars(config), "swa_start": 3})[0][0]
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
    return found
