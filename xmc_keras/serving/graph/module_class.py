"""Choice of the graph: from texts or from features."""

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.graph.feature_serving_module import FeatureServingModule
from xmc_keras.serving.graph.serving_module import ServingModule
from xmc_keras.serving.version.documents_to_check import reads_features


def choose_module_class(models):
    """Chooses the class of the module that serves the models.

    Args:
        models: list of `LightXML` or `LightDXML`, one model or an ensemble.

    Raises:
        BadInput: some models read texts and others features, or features of different
            widths.
    """
    if not any(map(reads_features, models)):
        return ServingModule
    if all(map(reads_features, models)):
        widths = {model.encoder.num_features for model in models}
        if len(widths) == 1:
            return FeatureServingModule
        received = f"runs with {' and '.join(map(str, sorted(widths)))} features"
    else:
        received = "some on texts and some on features"
    raise BadInput(
        f"Expected runs that were trained on the same data. Received: {received}."
    )
