"""Whether a run and its documents fit together: texts, or rows of features."""

from xmc_keras.bad_input import BadInput


def check_reads_features(config, path):
    """Raises `BadInput` if a model of the config cannot read features."""
    if (config.system, config.encoder) != ("lightdxml", "words"):
        raise BadInput(
            "Expected texts for a transformer. Received: a file of features.",
            path,
            remedy="Set system: lightdxml and encoder: words, or name a folder of "
            "texts.",
        )


def check_reads_texts(run):
    """Raises `BadInput` if the documents of a `RunFolder` are features."""
    if run.num_features() is not None:
        raise BadInput(
            "Expected a run on texts. Received: one on features, which cannot be "
            "computed from texts.",
            run.path,
            remedy="Export it with `export`: the export takes rows of features.",
        )
