"""Precisions that weights are exported in, and a small SavedModel in one of them."""

# Dtype of the label table, dtype of all other weights.
FORMS = [
    ("float32", "float32"),
    ("float16", "float32"),
    ("int8", "float32"),
    ("float16", "float16"),
    ("int8", "float16"),
]
TOP = 5  # labels per answer


def save_form(model, folder, form=FORMS[0], signatures=("serving_default",)):
    """Exports signatures of a model to a folder."""
    import tensorflow as tf

    from xmc_keras.serving.graph.serving_module import ServingModule

    module = ServingModule([model], TOP, *form)
    found = module.signatures()
    found = {name: found[name] for name in signatures}
    tf.saved_model.save(module, str(folder), found)
