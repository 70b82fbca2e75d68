"""Models and layers in the hands of Keras's own tools: summary, plots, clones."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import keras
import numpy as np
import pytest

import xmc_keras
from tests.helpers import lightdxml_case, tiny_cascade, tiny_lightxml
from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
from xmc_keras.recommending.hybrid import Hybrid
from xmc_keras.runs.run_folder import RunFolder

RECORDED_RUNS = Path(__file__).parent / "recorded_runs"


def make_lightxml(backbone, kind):
    if kind == "no ranker":
        model = tiny_lightxml.make_model(ranker=False)
        return uncompiled(model), tiny_lightxml.INPUTS
    if kind == "cascade":
        return tiny_cascade.make_cascade(), tiny_lightxml.INPUTS
    encoder = MultiLayerCLSEncoder(backbone, 2)
    if kind == "paired":
        encoder = PairedEncoders(encoder, MultiLayerCLSEncoder(tiny_bert(1), 2))
    model = LightXML(
        encoder,
        ClusterGenerator(tiny_lightxml.CLUSTERS, top_k=2),
        DynamicCandidateRanker(tiny_lightxml.CLUSTERS.size, bottleneck_dim=3),
    )
    ids = np.array([[2, 5, 3], [2, 3, 0]], "int32")
    return model, {"token_ids": ids, "padding_mask": ids > 0}


def make_lightdxml(backbone, kind):
    if kind == "bert":
        ids = np.array([[2, 5, 3], [2, 3, 0]], "int32")
        encoder = MultiLayerCLSEncoder(backbone, 2)
        return LightDXML(encoder, 12), {"token_ids": ids, "padding_mask": ids > 0}
    lexical = None
    if kind == "label words":
        lexical = LabelWords(12, lightdxml_case.NUM_FEATURES, num_words=4)
    arguments = {}
    if kind == "linear":
        linear = SparseOneVsAll(12, lightdxml_case.NUM_FEATURES, num_weights=7)
        arguments = {"linear": linear, "candidates_from": "classifier"}
    model = lightdxml_case.make_model(lexical=lexical, **arguments)
    return uncompiled(model), lightdxml_case.INPUTS


def make_one_vs_all(backbone, kind):
    ids = np.array([[2, 5, 3], [2, 3, 0]], "int32")
    encoder = MultiLayerCLSEncoder(backbone, 2, pooling="mean")
    head = OneVsAllHead(12, block_labels=5, bottleneck_dim=3)
    return OneVsAll(encoder, head), {"token_ids": ids, "padding_mask": ids > 0}


def make_hybrid(backbone, kind):
    transformer, texts = make_lightxml(backbone, kind)
    words, inputs = make_lightdxml(backbone, "linear")
    model = Hybrid(LightXML.from_config(transformer.get_config()), words)
    ids, weights = (inputs[name][:2] for name in ("token_ids", "token_weights"))
    return model, {**texts, "word_ids": ids, "word_weights": weights}


def uncompiled(model):
    # Keras warns when a compiled model that was never trained is loaded.
    return type(model).from_config(model.get_config())


CASES = [
    *((make_lightxml, kind) for kind in ("plain", "paired", "no ranker", "cascade")),
    *((make_lightdxml, kind) for kind in ("words", "label words", "linear", "bert")),
    (make_one_vs_all, "bottleneck"),
    (make_hybrid, "plain"),
]


@pytest.mark.parametrize("make, kind", CASES)
def test_a_model_is_shown_and_cloned_before_and_after_loading(
    make, kind, backbone, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "160")  # rich cuts longer lines
    model, inputs = make(backbone, kind)
    scores = model.predict(inputs, verbose=0)["scores"]
    model.save(tmp_path / "model.keras")
    for shown in (model, keras.models.load_model(tmp_path / "model.keras")):
        lines = []
        shown.summary(print_fn=lines.append, expand_nested=True, line_length=160)
        text = "\n".join(lines)
        # Every part has its output shape and its number of parameters.
        for layer in shown.layers:
            row = next(line for line in text.splitlines() if f" {layer.name} " in line)
            assert "?" not in row and f"{layer.count_params():,}" in row, row
            assert shown.get_layer(layer.name) is layer
        dot = keras.utils.model_to_dot(shown, show_shapes=True, expand_nested=True)
        assert shown.name in dot.to_string()
        clone = keras.models.clone_model(shown)
        assert type(clone) is type(model)
        clone.predict(inputs, verbose=0)  # builds it
        clone.set_weights(shown.get_weights())
        found = clone.predict(inputs, verbose=0)["scores"]
        np.testing.assert_allclose(found, scores, 1e-5, 1e-6)


@pytest.mark.parametrize("system", ["lightxml", "lightdxml"])
def test_a_model_of_an_earlier_version_is_shown(system):
    model = RunFolder(RECORDED_RUNS / system).load_model()
    lines = []
    model.summary(print_fn=lines.append)
    assert f"Total params: {model.count_params():,}" in "\n".join(lines)


@pytest.mark.parametrize("make, kind", CASES)
def test_a_model_as_part_of_another(make, kind, backbone, tmp_path):
    model, inputs = make(backbone, kind)
    expected = model.predict(inputs, verbose=0)["scores"]
    symbolic = {
        name: keras.Input(x.shape[1:], dtype=str(x.dtype), name=name)
        for name, x in inputs.items()
    }
    outer = keras.Model(symbolic, model(symbolic)["scores"])
    assert outer.output_shape == (None, expected.shape[1])
    outer.save(tmp_path / "outer.keras")
    for shown in (outer, keras.models.load_model(tmp_path / "outer.keras")):
        lines = []
        shown.summary(print_fn=lines.append, expand_nested=True, line_length=160)
        assert model.name in "\n".join(lines)
        keras.utils.model_to_dot(shown, show_shapes=True, expand_nested=True)
        found = shown.predict(inputs, verbose=0)
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


# Programs; and engines, whose packages have environments of their own.
NO_LAYERS = "xmc_keras.cli", "xmc_keras.serving.engines"


def layer_classes():
    found = set()
    for module in pkgutil.walk_packages(xmc_keras.__path__, "xmc_keras."):
        if "recipes" in module.name or module.name.startswith(NO_LAYERS):
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(value) and issubclass(value, keras.layers.Layer):
                if value.__module__.startswith("xmc_keras"):
                    found.add(value)
    return sorted(found, key=lambda c: c.__qualname__)


def test_the_shape_of_an_output_follows_from_what_a_layer_is_built_with():
    # `summary` calls `compute_output_shape` with the arguments of `build`.
    classes = layer_classes()
    assert {ClusterGenerator, LabelWords, LightXML} <= set(classes)
    checked = 0
    for layer in classes:
        if not {"build", "compute_output_shape"} <= set(vars(layer)):
            continue
        given = inspect.signature(layer.build).parameters
        wanted = inspect.signature(layer.compute_output_shape).parameters
        assert set(given) <= set(wanted), layer
        for name, parameter in wanted.items():
            if name not in given or given[name].default is not parameter.empty:
                assert name == "self" or parameter.default is not parameter.empty, layer
        checked += 1
    assert checked >= 8
