"""LightDXML: label embeddings, shortlists, the classifier and the model of all."""


def __getattr__(name):
    # The model is imported on first use: it needs TensorFlow.
    if name == "LightDXML":
        from xmc_keras.lightdxml.lightdxml import LightDXML

        return LightDXML
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
