"""LightDXML: label embeddings, shortlists, the classifier, and the whole model."""


def __getattr__(name):
    # The model is imported on first use, because it imports TensorFlow.
    if name == "LightDXML":
        from xmc_keras.lightdxml.lightdxml import LightDXML

        return LightDXML
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
