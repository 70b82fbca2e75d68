"""The forms that weights are exported in, and a small SavedModel in one of them."""

# Of the label table, and of all other weights.
FORMS = [
    ("float32", "float32"),
    ("float16", "float32"),
    ("int8", "float32"),
    ("float16", "float16"),
    ("int8", "float16"),
]
TOP = 5  # labels of an answer


def save_form(model, folder, form=FORMS[0]):
    """Writes `serving_default` of a model to a folder; export/ is on the path."""
    import tensorflow as tf

    from xmc_keras.serving.graph.serving_module import ServingModule

    module = ServingModule([model], TOP, *form)
    default = {"serving_default": module.signatures()["serving_default"]}
    tf.saved_model.save(module, str(folder), default)
