"""Checking that a model and its documents fit together: texts or features."""

from xmc_keras.bad_input import BadInput


def check_reads_features(config, path):
    """Raises `BadInput` if the model of a config cannot read features."""
    if (config.system, config.encoder) != ("lightdxml", "words"):
        raise BadInput(
            "Expected texts for a transformer. Received: a file of features.",
            path,
            remedy="Set system: lightdxml and encoder: words, or choose a folder of "
            "texts.",
        )


def check_reads_texts(run):
    """Raises `BadInput` if the documents of a `RunFolder` are features."""
    if run.num_features() is not None:
        raise BadInput(
            "Expected a run on texts. Received: a run on features, which cannot be "
            "computed from texts.",
            run.path,
            remedy="Export it with `export`: the exported model takes features.",
        )
