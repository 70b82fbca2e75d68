import functools

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.serving_module import BLOCK, ServingModule

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
TEXTS = ["b", "Á c d e f g h i j k l", "", "z\0y", "😀 a", "x " * 3000]


def make_model(seed, names, clusters, ranker=True, top_k=2, **arguments):
    backbone = tiny_bert(seed, vocabulary_size=len(WORDS))
    # Word vectors far apart, so that texts have different scores.
    table = backbone.token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, seed=seed))
    model = LightXML(
        MultiLayerCLSEncoder(backbone, 2),
        ClusterGenerator(clusters, top_k),
        DynamicCandidateRanker(np.size(clusters), 3) if ranker else None,
        tokenizer=keras_nlp.models.BertTokenizer(WORDS),
        max_tokens=8,
        label_names=names,
        **{"num_predictions": 4, **arguments},
    )
    model(tokens_of(model, ["a"]))
    for weight in model.generator.weights + (model.ranker.weights if ranker else []):
        if weight.dtype == "float32":
            weight.assign(keras.random.normal(weight.shape, seed=seed + 1))
    return model


def tokens_of(model, texts):
    """Encoder input built by hand: each letter is a word, truncated to `max_tokens`."""
    ids = np.zeros((len(texts), model.max_tokens), "int32")
    for row, text in zip(ids, texts):
        words = [WORDS.index(w) if w in WORDS else 1 for w in text.split()]
        words = [2, *words[: model.max_tokens - 2], 3]
        row[: len(words)] = words
    return {"token_ids": ids, "padding_mask": ids > 0}


@pytest.fixture(scope="module")
def first():
    return make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])


@pytest.fixture(scope="module")
def second():
    return make_model(5, list("usqp"), [[2, 0], [1, 3], [-1, -1]])


@pytest.fixture(scope="module")
def alone(first):
    return ServingModule([first], k=2)


@pytest.fixture(scope="module")
def both(first, second):
    return ServingModule([first, second], k=3)


def all_scores(model, texts):
    """Scores (texts, labels) from the whole label table, in NumPy."""
    features = model.encoder(tokens_of(model, texts)).numpy()
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    generator, ranker = model.generator, model.ranker
    clusters = sigmoid(features @ generator.kernel.numpy() + generator.bias.numpy())
    table = generator.clusters.numpy()
    rows = [table.ravel().tolist().index(i) for i in range(generator.num_labels)]
    scores = clusters[:, np.array(rows) // table.shape[1]]
    if ranker is not None:
        kernel, bias = ranker.bottleneck.get_weights()
        logits = (features @ kernel + bias) @ ranker.label_embeddings.numpy()[rows].T
        scores = scores * sigmoid(logits + np.log(0.01 / 0.99))
    return scores


@functools.lru_cache(maxsize=8)
def signatures_of(module):
    """Signatures of a module, each traced only once."""
    return module.signatures()


def ask(module, name, **inputs):
    inputs = {key: tf.constant(value) for key, value in inputs.items()}
    answer = signatures_of(module)[name](**inputs)
    return {key: value.numpy() for key, value in answer.items()}


def rows_of(answer):
    return [
        [(label.decode(), score) for label, score in zip(*row) if label]
        for row in zip(answer["labels"], answer["scores"])
    ]


def best_of_offered(scores, names, offers, k):
    """Rows of `(name, score)`: the best `k` of the labels that the models offer.

    Computed from scores (texts, labels) of all `names`, and the rows of each model.
    """
    rows = []
    for row, *of_models in zip(scores, *offers):
        offered = {name for offer in of_models for name, _ in offer}
        best = sorted(offered, key=lambda name: -row[names.index(name)])
        rows.append([(name, row[names.index(name)]) for name in best[:k]])
    return rows


def check_rows(rows, expected):
    assert len(rows) == len(expected)
    for row, want in zip(rows, expected):
        assert [label for label, _ in row] == [label for label, _ in want]
        np.testing.assert_allclose([s for _, s in row], [s for _, s in want], atol=1e-5)


@pytest.mark.parametrize("ranker", [True, False])
def test_one_model_answers_as_recommend(ranker):
    model = make_model(3, list("pqrst"), [[0, 3, -1], [1, 4, 2]], ranker)
    module = ServingModule([model], k=3)
    check_rows(
        rows_of(ask(module, "serving_default", text=TEXTS)), model.recommend(TEXTS, 3)
    )
    for k in (1, 4):
        answer = ask(module, "top_k", text=TEXTS, k=k)
        assert answer["scores"].shape == (len(TEXTS), k)
        check_rows(rows_of(answer), model.recommend(TEXTS, k))


def test_top_k_takes_the_largest_k_within_its_bounds(alone):
    assert ask(alone, "top_k", text=["a", "b"], k=[1, 3])["labels"].shape == (2, 3)
    assert ask(alone, "top_k", text=["a"], k=99)["labels"].shape == (1, 4)
    assert ask(alone, "top_k", text=["a"], k=-1)["labels"].shape == (1, 1)


def test_many_texts_keep_their_order(first, alone):
    rng = np.random.default_rng(0)
    texts = [
        " ".join(rng.choice(WORDS[5:], n)) for n in rng.integers(0, 9, 2 * BLOCK + 5)
    ]
    answer = ask(alone, "serving_default", text=texts)
    check_rows(rows_of(answer), first.recommend(texts, 2))


def test_no_texts(alone):
    none = tf.zeros([0], tf.string)
    assert ask(alone, "serving_default", text=none)["labels"].shape == (0, 2)
    assert ask(alone, "embed", text=none)["embedding"].shape == (0, 8)


def test_score(first, alone):
    labels = [["t", "no such", "t"], ["", "p", "q"]]
    answer = ask(alone, "score", text=["a b", "c"], labels=labels)
    a, c = all_scores(first, ["a b", "c"])
    expected = [[a[4], -1, a[4]], [-1, c[0], c[1]]]
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-5)


def test_score_wants_labels_for_each_text(alone):
    with pytest.raises(tf.errors.InvalidArgumentError, match="a row for each text"):
        ask(alone, "score", text=["a", "b"], labels=[["p"]])


def test_embed(first, second, both):
    texts = ["a b", "c d e f g h i j"]
    answer = ask(both, "embed", text=texts)
    expected = [m.encoder(tokens_of(m, texts)).numpy() for m in (first, second)]
    np.testing.assert_allclose(answer["embedding"], np.hstack(expected), atol=1e-5)


def test_ensemble_averages_over_the_union_of_labels(first, second, both):
    texts = ["a b", "c", "", "z y x w v u t", "e"]
    union = list("pqrstu")
    scores = np.zeros((len(texts), 6))
    for model in (first, second):
        columns = [union.index(name) for name in model.label_set.names]
        scores[:, columns] += all_scores(model, texts) / 2
    offers = [model.recommend(texts, 4) for model in (first, second)]
    expected = best_of_offered(scores, union, offers, 3)
    check_rows(rows_of(ask(both, "serving_default", text=texts)), expected)
    answer = ask(both, "score", text=texts, labels=[union] * len(texts))
    np.testing.assert_allclose(answer["scores"], scores, atol=1e-5)


def test_half_precision_is_traced_in_float32(first):
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])
    assert half.encoder(tokens_of(half, ["a"])).dtype == "bfloat16"
    keras.config.set_dtype_policy("float32")
    assert convert_to_float32(first) is first
    answer = ask(ServingModule([half], k=3), "serving_default", text=TEXTS)
    check_rows(rows_of(answer), first.recommend(TEXTS, 3))


@pytest.mark.parametrize("table, dense", [("float16",) * 2, ("int8", "float16")])
def test_stored_in_fewer_bits(first, second, both, table, dense):
    module = ServingModule([first, second], 3, table, dense)
    asked = {"text": ["a b"], "labels": [list("pqrstu")]}
    exact, near = (ask(m, "score", **asked) for m in (both, module))
    np.testing.assert_allclose(near["scores"], exact["scores"], atol=0.02)
    assert (near["scores"] != exact["scores"]).any()
    floats = {v.dtype.name for v in module.weights if v.dtype.is_floating}
    # The scales of an int8 table are float32.
    assert floats == ({"float16"} if table == "float16" else {"float16", "float32"})


def test_stored_in_fewer_bits_without_ranker():
    model = make_model(3, list("pqrst"), [[0, 3, -1], [1, 4, 2]], ranker=False)
    exact = ask(ServingModule([model], 3), "serving_default", text=["a b"])
    small = ServingModule([model], 3, "float16")
    near = ask(small, "serving_default", text=["a b"])
    np.testing.assert_allclose(near["scores"], exact["scores"], atol=0.01)
    assert [v.dtype for v in small.weights].count(tf.float16) == 2  # kernel, bias
    with pytest.raises(BadInput, match="without ranker has no label table"):
        ServingModule([model], 3, "int8")


def test_score_of_too_many_labels(first, monkeypatch):
    monkeypatch.setattr("xmc_keras.serving.graph.serving_module.MOST_SCORED", 2)
    module = ServingModule([first], k=1)
    asked = {"text": ["a"], "labels": [["p", "q"]]}
    assert ask(module, "score", **asked)["scores"].shape == (1, 2)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="at most 2 labels per text"
    ):
        ask(module, "score", text=["a"], labels=[["p", "q", "r"]])


def test_byte_pairs(backbone):
    # More kinds of encoders and vocabularies: test_exported_encoders.py.
    words = ["<s>", "<pad>", "</s>", "<mask>", "<unk>", "a", "aa"]
    vocabulary = {word: i for i, word in enumerate(words)}
    model = LightXML(
        MultiLayerCLSEncoder(backbone, 2),
        ClusterGenerator([[0, 1]], top_k=1),
        tokenizer=keras_nlp.models.RobertaTokenizer(vocabulary, ["a a"]),
        label_names=["p", "q"],
    )
    texts = ["aaa", "", "a"]
    module = ServingModule([model], 1)
    check_rows(
        rows_of(ask(module, "serving_default", text=texts)), model.recommend(texts, 1)
    )


@pytest.mark.parametrize("k", [0, 5])
def test_k_out_of_range(first, k):
    with pytest.raises(BadInput, match="Expected k between 1 and 4"):
        ServingModule([first], k)
