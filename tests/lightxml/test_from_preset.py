"""A LightXML of a preset, trained by `compile` and `fit` of Keras alone."""

import keras
import numpy as np
import pytest

from xmc_keras import (
    DocumentBatches,
    LabelSet,
    LightXML,
    TextTokenizer,
    TokenCache,
    WarmupDecay,
    read_documents,
)
from xmc_keras.config.config import Config
from xmc_keras.lightxml.build import build_optimizer, default_optimizer

LAYERS = {"num_feature_layers": 2, "max_tokens": 16, "feature_dropout": 0.1}


@pytest.mark.large
def test_compile_and_fit_without_a_config(tiny_encoder, tiny_data, tmp_path):
    train = read_documents(tiny_data, "train")
    label_set = LabelSet.from_labels(train.labels)
    clusters = np.arange(20).reshape(4, 5)
    model = LightXML.from_preset(
        str(tiny_encoder), clusters, label_set.names, top_k=2, **LAYERS
    )
    model.compile(optimizer=default_optimizer(0.01, 3.0))
    tokenizer = TextTokenizer(model.tokenizer, 16)
    batches = DocumentBatches(
        TokenCache(*tokenizer(train.texts)),
        label_set.encode(train.labels),
        batch_size=16,
        pad_id=tokenizer.pad_id,
        shuffle=True,
    )
    history = [
        model.fit(batches.dataset(epoch), shuffle=False, verbose=0).history["loss"][0]
        for epoch in range(3)
    ]
    assert history[2] < 0.7 * history[0]
    texts = train.texts[:40]
    best = [row[0][0] for row in model.recommend(texts, k=1)]
    hits = [name in labels for name, labels in zip(best, train.labels)]
    assert np.mean(hits) > 0.7
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.recommend(texts[:3]) == model.recommend(texts[:3])
    assert loaded.optimizer.multipliers == model.optimizer.multipliers


def test_sizes_and_the_default_optimizer(tiny_encoder):
    preset, names = str(tiny_encoder), ["a", "b", "c"]
    model = LightXML.from_preset(preset, [[0, 1], [2, -1]], names, **LAYERS)
    assert model.ranker.num_labels == 4 and model.generator.top_k == 2
    assert model.name == "lightxml" and model.max_tokens == 16
    single = LightXML.from_preset(
        preset, [[0], [1], [2]], names, num_predictions=2, **LAYERS
    )
    assert single.ranker is None and single.generator.top_k == 2
    clusters = [[0, 1], [2, -1], [3, 4], [5, 6]]
    cascade = LightXML.from_preset(preset, clusters, levels=[2], **LAYERS)
    assert (cascade.generator.num_clusters, cascade.generator.num_labels) == (2, 4)
    assert cascade.levels[0].num_clusters == 4 and cascade.ranker.num_labels == 8
    with pytest.raises(ValueError, match="power of 2 of at most 4.*Received: 3"):
        LightXML.from_preset(preset, clusters, levels=[3], **LAYERS)
    # The same as for a config.
    config = Config(data="texts", encoder="minilm", schedule="constant", warmup=0)
    expected = build_optimizer(config, 10).get_config()
    assert model.optimizer.get_config() | {"name": 0} == expected | {"name": 0}
    model.compile("sgd")
    assert isinstance(model.optimizer, keras.optimizers.SGD)


def test_the_heads_are_as_fast_under_any_schedule():
    # A warm-up begins at a fraction of its rate.
    schedule = WarmupDecay(1e-4, total_steps=100, warmup_steps=10)
    assert default_optimizer(schedule).multipliers == default_optimizer().multipliers


def test_a_preset_that_cannot_be_found():
    with pytest.raises(ValueError, match="Expected `encoder` to be a keras-nlp preset"):
        LightXML.from_preset("no such folder", [[0, 1]], ["a", "b"])
