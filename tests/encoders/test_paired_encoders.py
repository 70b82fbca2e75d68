"""The ranker with an encoder of its own, after static negatives."""

import json

import keras
import numpy as np
import pytest

from tests.helpers import tiny_lightxml as tiny
from xmc_keras.config.config_file import load_config
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.files.bad_input import BadInput
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.runs.run_folder import RunFolder


def make_model():
    keras.utils.set_random_seed(0)
    model = LightXML(
        PairedEncoders(tiny.MeanEncoder(), tiny.MeanEncoder()),
        ClusterGenerator(tiny.CLUSTERS, tiny.TOP_K),
        DynamicCandidateRanker(np.size(tiny.CLUSTERS), 3),
        num_predictions=tiny.NUM_PREDICTIONS,
    )
    model(tiny.INPUTS)
    return model


def test_generator_and_ranker_see_their_own_half():
    model = make_model()
    features = model.encoder(tiny.INPUTS).numpy()
    halves = features[:, :4], features[:, 4:]
    assert np.abs(halves[0] - halves[1]).max() > 0.01
    np.testing.assert_allclose(halves[0], model.encoder.recall(tiny.INPUTS), atol=1e-6)
    np.testing.assert_allclose(halves[1], model.encoder.ranking(tiny.INPUTS), atol=1e-6)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    generator = model.generator
    clusters = sigmoid(
        halves[0] @ generator.kernel.numpy() + generator.bias.numpy()
    )  # (12, 4)
    kernel, bias = model.ranker.bottleneck.get_weights()
    rows = np.array([tiny.CLUSTERS.ravel().tolist().index(i) for i in range(10)])
    labels = model.ranker.label_embeddings.numpy()[rows]
    own = sigmoid((halves[1] @ kernel + bias) @ labels.T + np.log(0.01 / 0.99))
    expected = clusters[:, rows // 3] * own
    every = np.tile(np.arange(10, dtype="int32"), (12, 1))
    found = model.score_labels(every, features)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    outputs = model(tiny.INPUTS)
    best = np.take_along_axis(expected, outputs["predicted_ids"].numpy(), axis=1)
    np.testing.assert_allclose(outputs["scores"], best, rtol=1e-4)


def test_only_the_second_half_continues_to_learn(tmp_path):
    model = make_model()
    model.encoder.begin_ranking()
    model.generator.trainable = False
    first = model.encoder.recall.get_weights()[0]
    np.testing.assert_array_equal(model.encoder.ranking.get_weights()[0], first)
    before = model.generator.get_weights()
    model.compile("adam")
    model.fit(tiny.X, tiny.LABELS, epochs=2, verbose=0)
    np.testing.assert_array_equal(model.encoder.recall.get_weights()[0], first)
    assert np.abs(model.encoder.ranking.get_weights()[0] - first).max() > 0
    for weight, old in zip(model.generator.get_weights(), before):
        np.testing.assert_array_equal(weight, old)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for name in ("predicted_ids", "scores"):
        found, expected = again(tiny.INPUTS)[name], model(tiny.INPUTS)[name]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_keys_that_do_not_go_together(tiny_config):
    with pytest.raises(BadInput, match="ranking_encoder to be shared"):
        load_config(tiny_config, ["ranking_encoder=own"])
    with pytest.raises(BadInput, match="score to be product with max_leaf: 1"):
        load_config(tiny_config, ["score=label", "max_leaf=1"])


def test_of_a_label_its_own_score_alone():
    model = tiny.make_model(score="label")
    plain = tiny.make_model()
    model(tiny.INPUTS), plain(tiny.INPUTS)  # built
    plain.set_weights(model.get_weights())
    outputs, both = model(tiny.INPUTS), plain(tiny.INPUTS)
    features = plain.encoder(tiny.INPUTS)
    ids = outputs["predicted_ids"]
    logits = plain.generator.cluster_logits(features)
    clusters = keras.ops.sigmoid(plain.generator.own_logits(logits, ids))
    expected = plain.score_labels(ids, features) / clusters
    np.testing.assert_allclose(outputs["scores"], expected, rtol=1e-4)
    np.testing.assert_allclose(
        model.score_labels(ids, features), outputs["scores"], rtol=1e-4
    )
    assert np.abs(outputs["scores"] - both["scores"]).max() > 1e-4
    assert LightXML.from_config(model.get_config()).score == "label"
    with pytest.raises(ValueError, match="Expected `score`"):
        tiny.make_model(score="sum")


@pytest.mark.large
def test_trained_evaluated_and_continued(tiny_config, tmp_path, call):
    keys = ("negatives=static", "ranking_encoder=own", "epochs=6")
    settings = [f"--set={key}" for key in keys]
    folder = tmp_path / "run"
    result = call("fit", tiny_config, "--run", folder, *settings)
    assert result.status == 0, result.stderr
    model = RunFolder(folder).load_model()
    assert model.is_paired
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["P@1"] > metrics["baselines"]["most popular labels"]["P@1"] + 10
    result = call("evaluate", folder, "--json")
    assert json.loads(result.stdout)["P@1"] == pytest.approx(metrics["P@1"])
