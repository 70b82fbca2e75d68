"""What of a LightXML is in its file: all of it."""

import subprocess
import sys

import keras
import keras_nlp
import numpy as np
import pytest

from tests.helpers.tiny_lightxml import (
    CLUSTERS,
    INPUTS,
    LABELS,
    NAMES,
    NUM_PREDICTIONS,
    TOP_K,
    MeanEncoder,
    X,
    make_model,
)
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.optimizers.warmup_decay import WarmupDecay

WORDS = [a + b for a in "abcde" for b in "xyzuvwt"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]


def make_text_model(encoder):
    return LightXML(
        encoder,
        ClusterGenerator(CLUSTERS, TOP_K),
        DynamicCandidateRanker(CLUSTERS.size, 3),
        tokenizer=keras_nlp.models.BertTokenizer(VOCABULARY),
        label_names=NAMES,
        max_tokens=6,
        num_predictions=NUM_PREDICTIONS,
    )


def test_predictions_weights_and_optimizer(tmp_path):
    model = make_model()
    model.run_eagerly = True
    model.fit(X, LABELS, batch_size=4, epochs=3, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    again = keras.models.load_model(path)
    again.run_eagerly = True
    found, expected = (m.predict(INPUTS, verbose=0) for m in (again, model))
    np.testing.assert_array_equal(found["predicted_ids"], expected["predicted_ids"])
    np.testing.assert_allclose(found["scores"], expected["scores"], 1e-6)
    assert again.loss_reduction == model.loss_reduction
    assert again.num_predictions == model.num_predictions
    assert again.evaluate(X, LABELS, verbose=0) == pytest.approx(
        model.evaluate(X, LABELS, verbose=0), 1e-5
    )
    # The optimizer comes back too, with what it leaves undecayed.
    assert int(again.optimizer.iterations) == int(model.optimizer.iterations)
    assert again.optimizer.get_config() == model.optimizer.get_config()
    for m in (model, again):
        m.fit(X, LABELS, batch_size=12, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)

    again.save_weights(tmp_path / "model.weights.h5")
    other = make_model()
    other(INPUTS)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(tmp_path / "model.weights.h5")
    for a, b in zip(other.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_tokenizer_and_label_names(tmp_path):
    model, texts = make_text_model(MeanEncoder()), ["ax by", "", "cz cy ax by bx"]
    before = model.recommend(texts)
    # Saved after its text tokenizer was made, which is no part of the model.
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.label_set.names == NAMES
    assert again.tokenizer.get_vocabulary() == VOCABULARY
    assert again.max_tokens == 6
    for row, same in zip(again.recommend(texts), before, strict=True):
        assert [name for name, _ in row] == [name for name, _ in same]
        np.testing.assert_allclose([s for _, s in row], [s for _, s in same], 1e-5)


@pytest.mark.large
def test_a_saved_model_loads_where_only_lightxml_is_imported(backbone, tmp_path):
    model = make_text_model(MultiLayerCLSEncoder(backbone, num_feature_layers=2))
    optimizer = RowwiseAdamW(WarmupDecay(0.01, 10))
    model.compile(optimizer, metrics=[PrecisionAtK(1)], run_eagerly=True)
    model.fit(X, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    code = (
        "import sys, keras, xmc_keras; xmc_keras.LightXML; "
        "model = keras.models.load_model(sys.argv[1]); "
        "print(model.label_set.names, model.tokenizer.vocabulary_size(), "
        "int(model.optimizer.iterations))"
    )
    command = [sys.executable, "-c", code, tmp_path / "model.keras"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == f"{NAMES} 40 1\n"
