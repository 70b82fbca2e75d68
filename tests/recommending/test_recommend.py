import gc
import weakref

import keras_nlp
import numpy as np
import pytest

from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.recommending.recommend import _graphs, recommend

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "au", "lait"]


def make_model(backbone, max_tokens):
    return LightXML(
        MultiLayerCLSEncoder(backbone, 2),
        ClusterGenerator([[0, 1], [2, -1]], top_k=2),
        DynamicCandidateRanker(num_labels=4, bottleneck_dim=4),
        tokenizer=keras_nlp.models.BertTokenizer(WORDS),
        max_tokens=max_tokens,
        label_names=["a", "b", "c"],
    )


@pytest.fixture
def model(backbone):
    return make_model(backbone, max_tokens=4)


def test_each_text_has_its_own_labels_whatever_the_batch(model):
    texts = ["au", "Café au lait", "", "lait lait"]
    # By hand: cut to four tokens, the last is [SEP]; accents and case are gone.
    ids = [[2, 6, 3, 0], [2, 5, 6, 3], [2, 3, 0, 0], [2, 7, 7, 3]]
    ids = np.array(ids, "int32")
    found = model.predict({"token_ids": ids, "padding_mask": ids > 0}, verbose=0)
    for batch_size in (1, 3, 64):
        rows = recommend(model, texts, k=3, batch_size=batch_size)
        for row, label_ids, scores in zip(
            rows, found["predicted_ids"], found["scores"]
        ):
            assert [name for name, _ in row] == ["abc"[i] for i in label_ids if i >= 0]
            np.testing.assert_allclose([s for _, s in row], scores[:3], 1e-4)


@pytest.mark.parametrize(
    "make", [tuple, np.array, iter, lambda texts: np.array(texts, object)]
)
def test_any_sequence_of_strings(model, make):
    texts = ["au", "Café au lait", "lait"]
    assert recommend(model, make(texts)) == recommend(model, texts)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"texts": "one text"}, "Expected a list of strings.*Put it in a list"),
        ({"texts": [1]}, "1 of type int at place 0"),
        ({"k": 0}, "`k`, the labels per text, to be an integer from 1 to 100.*k=0$"),
        ({"k": -1}, "k=-1$"),
        ({"k": 2.0}, r"k=2\.0$"),
        ({"k": "2"}, "k='2'$"),
        ({"k": True}, "k=True$"),
        ({"k": [1]}, r"k=\[1\]$"),
        ({"k": 101}, "k=101.*num_predictions=100 labels: choose fewer"),
        ({"batch_size": 0}, "`batch_size`.*of at least 1. Received: batch_size=0$"),
        ({"batch_size": 1.5}, r"batch_size=1\.5$"),
    ],
)
def test_errors(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        recommend(model, **{"texts": ["a"], **arguments})


def test_k_may_be_of_numpy_and_exceed_the_candidates(model):
    assert recommend(model, ["au"], np.int64(2)) == recommend(model, ["au"], 2)
    assert len(recommend(model, ["au"], 100)[0]) == 3


def test_no_texts(model):
    assert recommend(model, []) == []


def test_one_graph_for_all_shapes_that_goes_with_the_model(backbone):
    model = make_model(backbone, max_tokens=9)  # not the fixture, which pytest keeps
    for length in range(1, 9):
        for number in (1, 2, 5):
            recommend(model, ["au " * length] * number, batch_size=4)
    assert _graphs[model][1].experimental_get_tracing_count() == 1
    # Weights may change, and the longest text.
    before = recommend(model, ["au"], k=1)
    for weight in model.ranker.bottleneck.weights:
        weight.assign(weight + 9)
    assert recommend(model, ["au"], k=1) != before
    model.max_tokens = 3
    assert recommend(model, ["au lait"]) == recommend(model, ["au"])
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
