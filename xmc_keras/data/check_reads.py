"""Whether a run and its documents go together: texts, or rows of features."""

from xmc_keras.bad_input import BadInput


def check_reads_features(config, path):
    """BadInput where a model of the config could not read the features in `path`."""
    if (config.system, config.encoder) != ("lightdxml", "words"):
        raise BadInput(
            "Expected texts for a transformer. Received: a file of features. Set "
            "system: lightdxml and encoder: words, or name a folder of texts.",
            path,
        )


def check_reads_texts(run):
    """BadInput where the documents of a `RunFolder` are features."""
    if run.num_features() is not None:
        raise BadInput(
            "Expected a run on texts. Received: one on features, which texts cannot "
            "be turned into. Its export answers rows of features "
            "(export/saved_model.py).",
            run.path,
        )
