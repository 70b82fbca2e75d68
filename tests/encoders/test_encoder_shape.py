import json
from pathlib import Path

import keras_nlp
import numpy as np
import pytest

from tests.helpers.encoder_kinds import BACKBONES
from xmc_keras.encoders import encoder_shape
from xmc_keras.encoders.encoder_shape import PRESETS, UNLIMITED, EncoderShape
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.files.bad_input import BadInput

MODELS = keras_nlp.models
# Parameters of the hub's models, and of these in their poolers and types of tokens.
OF_THE_HUB = {
    "all-roberta-large-v1": (355_359_744, 1024**2 + 2 * 1024),
    "msmarco-distilbert-base-v4": (66_362_880, 0),
    "paraphrase-distilroberta-base-v2": (82_118_400, 768**2 + 2 * 768),
}


def count(variables):
    return sum(np.prod(v.shape, dtype=int) for v in variables)


@pytest.mark.parametrize("name", [n for n in PRESETS if not n.startswith("hf:")])
def test_presets_have_the_parameters_that_keras_nlp_says(name):
    backbone = MODELS.BertBackbone if "roberta" not in name else MODELS.RobertaBackbone
    shape = EncoderShape.named(name)
    # BERT's pooler is no part of the feature, and is not trained.
    h = shape.hidden_dim
    pooler = h * h + h if "roberta" not in name else 0
    said = backbone.presets[name]["metadata"]["params"]
    assert shape.parameters + pooler == said


@pytest.mark.parametrize("name", OF_THE_HUB)
def test_encoders_of_the_hub_have_their_parameters(name):
    shape = EncoderShape.named(f"hf://sentence-transformers/{name}")
    whole, left_out = OF_THE_HUB[name]
    assert shape.parameters + left_out == whole


@pytest.mark.parametrize("preset", ["minilm", "tiny"])
def test_parameters_are_those_that_are_trained(preset, tiny_encoder, monkeypatch):
    preset = str(tiny_encoder) if preset == "tiny" else preset
    backbone, _ = load_encoder(preset)
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers=1)
    shape = EncoderShape.of(backbone.get_config())
    # Nothing is loaded: the folder states the shape.
    monkeypatch.setattr(encoder_shape, "load_encoder", None)
    assert EncoderShape.named(preset) == shape
    assert shape.parameters == count(encoder.trainable_variables)


@pytest.mark.parametrize("kind", BACKBONES)
def test_all_kinds_of_backbones_can_be_planned(kind):
    backbone = BACKBONES[kind]()
    shape = EncoderShape.of(backbone.get_config())
    layers = 4 if kind == "albert" else 2
    assert shape[:5] == (layers, 2, 4, 8, 40)
    assert shape.max_sequence_length == (UNLIMITED if kind == "xlnet" else 16)
    # At least the order of magnitude. ALBERT's layers share their weights.
    assert 0.5 < shape.parameters / count(backbone.trainable_variables) < 3


def test_no_segments():
    sizes = {"vocabulary_size": 50, "num_layers": 2, "num_heads": 2, "hidden_dim": 4}
    sizes |= {"intermediate_dim": 8, "max_sequence_length": 16}
    backbone = MODELS.RobertaBackbone(**sizes)
    shape = EncoderShape.of(backbone.get_config())
    assert shape.num_segments == 0
    assert shape.parameters == count(backbone.trainable_variables)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"model_type": "bert"}'])
def test_a_folder_without_a_known_shape_is_loaded(content, tmp_path, monkeypatch):
    if content is not None:
        Path(tmp_path, "config.json").write_text(content)
    with pytest.raises(BadInput, match="Expected `encoder` to be a keras-nlp preset"):
        EncoderShape.named(str(tmp_path))

    class Backbone:
        def get_config(self):
            return {"name": "other"}

    monkeypatch.setattr(encoder_shape, "load_encoder", lambda name: (Backbone(), None))
    with pytest.raises(BadInput, match=f"{tmp_path}, without 'num_layers'"):
        EncoderShape.named(str(tmp_path))
    known = {"num_layers": 1, "num_heads": 2, "hidden_dim": 3, "intermediate_dim": 4}
    known |= {"vocabulary_size": 5, "max_sequence_length": 6}
    Backbone.get_config = lambda self: known
    assert EncoderShape.named(str(tmp_path)) == (1, 2, 3, 4, 5, 6, 0)


def test_hugging_face_names(tmp_path):
    # In DistilBERT's config `hidden_dim` is the inner width: no BERT's is made of it.
    config = {"model_type": "distilbert", "hidden_dim": 3072, "dim": 768}
    with pytest.raises(KeyError):
        EncoderShape.of(config)
    path = Path(tmp_path, "config.json")
    path.write_text(
        json.dumps(
            {
                "model_type": "bert",
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "hidden_size": 4,
                "intermediate_size": 8,
                "vocab_size": 16,
                "max_position_embeddings": 32,
                "type_vocab_size": 3,
            }
        )
    )
    assert EncoderShape.named(str(tmp_path)) == (1, 2, 4, 8, 16, 32, 3)
