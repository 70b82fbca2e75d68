"""A warning about a model that is worse than a baseline."""


def warn_of_baselines(metrics, baselines, config, part="test"):
    """Says in one sentence by how much a model is below baselines, and what to do.

    Args:
        metrics: dictionary with P@1, P@3 and P@5 of the model, in percent.
        baselines: dictionary of names to such dictionaries, on the same documents.
        config: the `Config` that the model was trained by.
        part: string. Name of the documents. Defaults to `"test"`.

    Returns:
        List of strings: one, or none if the model is nowhere below a baseline.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> ours, theirs = ({f"P@{k}": p for k in (1, 3, 5)} for p in (40.0, 50.0))
    >>> config = Config(encoder="words", system="lightdxml", label_words=64, epochs=5)
    >>> warn_of_baselines(ours | {"P@5": 60.0}, {"nearest label": theirs}, config)
    ['On the test part the model is below a baseline, nearest label: P@1 40.00, not \
50.00, P@3 40.00, not 50.00; train more steps, with epochs above 5 or batch_size \
below 32, or another recipe.']
    >>> warn_of_baselines(theirs, {"nearest label": ours}, config)
    []
    """
    found = []
    for name, baseline in baselines.items():
        below = [
            f"{key} {metrics[key]:.2f}, not {baseline[key]:.2f}"
            for key in ("P@1", "P@3", "P@5")
            if f"{metrics[key]:.2f}" != f"{baseline[key]:.2f}"
            and metrics[key] < baseline[key]
        ]
        if below:
            found.append(f"{name}: {', '.join(below)}")
    if not found:
        return []
    start = ""
    if config.system != "lightdxml" and config.head_start != "centroids":
        start = "set head_start: centroids, "
    if config.system == "lightdxml" and config.encoder == "words":
        start = "" if config.label_words else "set label_words: 64, "
    smaller = f" or batch_size below {config.batch_size}"
    smaller = "" if config.batch_size == 1 else smaller
    return [
        f"On the {part} part the model is below a baseline, {'; '.join(found)}; {start}"
        f"train more steps, with epochs above {config.epochs}{smaller}, or another "
        "recipe."
    ]
