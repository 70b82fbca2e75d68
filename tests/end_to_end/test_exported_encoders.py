"""All kinds of encoders: trained one step, saved, reloaded, exported and served."""

import json

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.encoder_kinds import BACKBONES
from tests.helpers.programs import start
from tests.helpers.project import RECORDED
from tests.helpers.server_process import Server
from tests.helpers.tiny_tokenizers import tokenizer
from xmc_keras.config.config import Config
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.lightxml.build import build_model
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.graph.serving_module import ServingModule
from xmc_keras.serving.version import serving_ops
from xmc_keras.serving.version.check_export import check_export
from xmc_keras.serving.version.warm_up import make_warm_up_requests, write_warm_up
from xmc_keras.text.text_tokenizer import TextTokenizer

TEXTS = [
    "A fast terminal text editor, since 1999,",
    "",
    "Ünïcödé café 日本 😀\u200d don't\u00a0we'll",
    "x" * 300,
    "nul \0 byte \x07 and   spaces\n\n",
    "many words " * 30,
]
CLUSTERS = np.array([[0, 3, -1], [1, 4, 2]])
NAMES = list("pqrst")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]
WORDS += [f"##{letter}" for letter in LETTERS]
WORD_PIECES = {
    "distil_bert": keras_nlp.models.DistilBertTokenizer,
    "electra": keras_nlp.models.ElectraTokenizer,
}


def encoder_of(kind):
    """A backbone and a tokenizer with the same number of ids."""
    if kind in ("roberta", "xlnet"):
        return load_encoder(str(RECORDED / kind))
    made = WORD_PIECES[kind](WORDS) if kind in WORD_PIECES else tokenizer(kind)
    backbone = BACKBONES[kind]()
    size = "vocab_size" if kind == "electra" else "vocabulary_size"
    config = {**backbone.get_config(), size: made.vocabulary_size()}
    return type(backbone).from_config(config), made


def trained(kind):
    """A model after one step on `TEXTS`."""
    keras.utils.set_random_seed(0)
    backbone, made = encoder_of(kind)
    config = Config(
        data="texts",
        encoder="none",
        num_feature_layers=2,
        max_tokens=16,
        top_k=2,
        max_leaf=3,
        bottleneck_dim=3,
        num_predictions=5,
        initial_probability=0.5,
    )
    model = build_model(config, backbone, made, CLUSTERS, NAMES)
    text_tokenizer = TextTokenizer(made, 16)
    ids = text_tokenizer.ragged_ids(TEXTS)
    inputs = {
        "token_ids": ids.to_tensor(text_tokenizer.pad_id).numpy(),
        "padding_mask": tf.sequence_mask(ids.row_lengths()).numpy(),
    }
    model(inputs)
    # Weights for which documents and labels differ and gradients are visible. With the
    # initial weights of an encoder all documents are nearly the same.
    for i, weight in enumerate(model.encoder.trainable_weights):
        if weight.ndim > 1:
            weight.assign(keras.random.normal(weight.shape, seed=2 + i))
    for weight in [*model.generator.trainable_weights, *model.ranker.trainable_weights]:
        weight.assign(weight + keras.random.normal(weight.shape, seed=1))
    labels = np.array([[0, 1], [2, -1], [3, 4], [0, -1], [1, 2], [4, -1]])
    model.compile(keras.optimizers.SGD(0.1))
    before = model.encoder.get_weights()
    model.fit({**inputs, "label_ids": labels}, labels, batch_size=6, verbose=0)
    changed = [(a != b).any() for a, b in zip(before, model.encoder.get_weights())]
    assert np.mean(changed) > 0.8
    return model


def exported(model, folder):
    module = ServingModule([model], k=3)
    tf.saved_model.save(module, str(folder), module.signatures())
    requests = make_warm_up_requests(
        module.inputs_of(TEXTS[:1]), module.inputs_of(TEXTS), ["p", "q"]
    )
    write_warm_up(requests, folder)
    return module.inputs_of(TEXTS)


OTHERS = [
    pytest.param(kind, marks=pytest.mark.large)
    for kind in ("roberta", "xlm_roberta", "albert", "deberta", *WORD_PIECES)
]


@pytest.mark.large
@pytest.mark.filterwarnings("ignore:unclosed file")  # by keras-nlp
@pytest.mark.parametrize("kind", ["xlnet", *OTHERS])
def test_trained_saved_reloaded_exported_and_loaded(kind, tmp_path):
    model = trained(kind)
    expected = model.recommend(TEXTS, 3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.encoder.activation == model.encoder.activation
    for row, want in zip(again.recommend(TEXTS, 3), expected, strict=True):
        assert [label for label, _ in row] == [label for label, _ in want]
        np.testing.assert_allclose([s for _, s in row], [s for _, s in want], atol=1e-5)
    inputs = exported(again, tmp_path / "1")
    # Loads it as a server does, and compares labels and scores to 1e-5.
    assert check_export(tmp_path / "1", inputs, expected, "float32") == 1.0
    # Scores of documents and labels differ by far more than the tolerance.
    scores = np.array([[score for _, score in row] for row in expected])  # (texts, 3)
    assert np.ptp(scores, axis=0).max() > 2e-4 and np.ptp(scores[0]) > 1e-2
    # No Python is needed: the tokenizer is in the graph.
    assert serving_ops.find_graph_problems(tmp_path / "1") == []


@pytest.mark.large
@pytest.mark.parametrize("kind", ["roberta", "xlnet"])
def test_the_programs_from_end_to_end(kind, tmp_path, tiny_config):
    """`xmc fit` with a folder of the encoder, `xmc export`, `xmc serve`, and REST."""
    run, folder = tmp_path / "run", tmp_path / "m"
    pairs = [f"encoder={RECORDED / kind}", "epochs=1", "swa_start=null"]
    sets = [part for pair in pairs for part in ("--set", pair)]
    for command in (
        ("fit", tiny_config, "--run", run, *sets),
        ("../export/saved_model", run, folder, "-k", 3),
    ):
        process = start(*command)
        _, stderr = process.communicate()
        assert process.returncode == 0, stderr.decode()
    server = Server(folder, tmp_path / "log", "--name", "m")
    try:
        with server.ready().connect() as connection:
            body = json.dumps({"inputs": {"text": TEXTS}})
            connection.request("POST", "/v1/models/m:predict", body)
            answer = json.loads(connection.getresponse().read())["outputs"]
    finally:
        server.stop()
    expected = RunFolder(run).load_model().recommend(TEXTS, 3)
    assert len(answer["labels"]) == len(TEXTS)
    for labels, scores, row in zip(
        answer["labels"], answer["scores"], expected, strict=True
    ):
        assert labels == [label for label, _ in row]
        np.testing.assert_allclose(scores, [score for _, score in row], atol=1e-5)
