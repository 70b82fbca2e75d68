"""Every private name of Keras and keras-nlp that the library uses is still there."""

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.tiny_bert import tiny_bert
from tests.helpers.tiny_tokenizers import tokenizer
from xmc_keras.ops import keras_internals as internals


def moved(what):
    return (
        f"{what} has moved or changed in keras {keras.__version__} or keras-nlp "
        f"{keras_nlp.__version__}: adapt xmc_keras/ops/keras_internals.py."
    )


@pytest.mark.parametrize("name", internals.OPTIMIZER_HOOKS)
def test_the_hooks_of_an_optimizer(name):
    hook = getattr(keras.optimizers.Adam, name, None)
    assert callable(hook), moved(f"Optimizer.{name}")


@pytest.mark.parametrize("name", internals.MODEL_HOOKS)
def test_the_hooks_of_a_model(name):
    assert callable(getattr(keras.Model, name, None)), moved(f"Model.{name}")


def test_the_initial_values_of_workers():
    """TensorFlow's own name, used by `start_strategy`."""
    extended = tf.distribute.MultiWorkerMirroredStrategy().extended
    name = "_get_variable_creator_initial_value"
    assert callable(getattr(extended, name, None)), moved(f"TensorFlow's {name}")


def test_the_parts_of_a_transformer_layer():
    (layer,) = tiny_bert(num_layers=1, hidden_dim=4, dropout=0.1).transformer_layers
    try:
        parts = internals.transformer_parts(layer)
    except AttributeError as error:
        pytest.fail(moved(f"TransformerEncoder: {error}"))
    for name in ("weights", "attention", "feedforward"):
        dropout = getattr(parts, f"{name}_dropout")
        assert dropout.rate == pytest.approx(0.1), moved(f"the {name} dropout")
    for name in ("query", "key", "value", "output", "wide", "narrow"):
        assert getattr(parts, name).bias is not None, moved(f"the {name} dense layer")
    for norm in (parts.attention_norm, parts.feedforward_norm):
        assert isinstance(norm, keras.layers.LayerNormalization), moved("a LayerNorm")
    assert parts.attention_norm is not parts.feedforward_norm


def test_loss_and_metrics_of_a_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.evaluate(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    try:
        loss, metrics = internals.loss_tracker(model), internals.compiled_metrics(model)
    except AttributeError as error:
        pytest.fail(moved(f"Model: {error}"))
    assert isinstance(loss, keras.metrics.Mean), moved("Model._loss_tracker")
    assert "mae" in str(metrics.result()), moved("Model._compile_metrics")


def test_layers_and_their_calls():
    layer = keras.layers.Dense(2)
    x = keras.Input((2,))
    model = keras.Model(x, layer(layer(x)))
    try:
        assert internals.count_calls(layer) == 2
        (first,) = internals.call_output(layer, 0)
        found = internals.flatten_layers(keras.Sequential([model]))
        assert layer in list(found), moved("Layer._flatten_layers")
    except AttributeError as error:
        pytest.fail(moved(f"Layer: {error}"))
    assert first is not model.output, moved("Layer._inbound_nodes")


def test_variables_without_autocast():
    keras.config.set_dtype_policy("mixed_bfloat16")
    layer = keras.layers.Dense(1)
    layer.build((None, 1))

    seen = []

    class Reads(keras.layers.Layer):
        def call(self, x):
            seen.append(layer.kernel.value.dtype)
            with internals.no_autocast():
                seen.append(layer.kernel.value.dtype)
            return x

    Reads()(keras.ops.ones((1, 1)))
    assert seen == ["bfloat16", "float32"], moved("AutocastScope")


def test_xlnet_of_keras_nlp():
    backbone = keras_nlp.models.XLNetBackbone(
        vocabulary_size=9, num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2
    )
    what = moved("the module of keras-nlp's XLNetBackbone")
    assert internals.is_keras_nlp_xlnet(backbone), what
    assert not internals.is_keras_nlp_xlnet(tiny_bert())


def test_the_model_of_a_sentence_piece_tokenizer():
    pieces = tokenizer("albert")
    try:
        internals.sentence_piece(pieces).tokenize(["a text"])
        internals.sentence_piece_resource(pieces)
    except AttributeError as error:
        pytest.fail(moved(f"the SentencePiece tokenizer: {error}"))
