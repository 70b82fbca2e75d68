"""LightXML: the cluster generator, the candidate ranker, and the model of both."""


def __getattr__(name):
    # The model is imported on first use, because it imports TensorFlow.
    if name == "LightXML":
        from xmc_keras.lightxml.lightxml import LightXML

        return LightXML
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
