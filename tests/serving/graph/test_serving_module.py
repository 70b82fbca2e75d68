import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask, best_of_offered, check_rows, names_and_scores
from tests.helpers.served_lightxml import WORDS, make_model, tokens_of
from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.serving_module import BLOCK, ServingModule

TEXTS = ["b", "Á c d e f g h i j k l", "", "z\0y", "😀 a", "x " * 3000]


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


@pytest.mark.parametrize("ranker", [True, False])
def test_one_model_answers_as_recommend(ranker):
    model = make_model(3, list("pqrst"), [[0, 3, -1], [1, 4, 2]], ranker)
    module = ServingModule([model], k=3)
    check_rows(
        names_and_scores(ask(module, "serving_default", text=TEXTS)),
        model.recommend(TEXTS, 3),
    )
    for k in (1, 4):
        answer = ask(module, "top_k", text=TEXTS, k=k)
        assert answer["scores"].shape == (len(TEXTS), k)
        check_rows(names_and_scores(answer), model.recommend(TEXTS, k))


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
    check_rows(names_and_scores(answer), first.recommend(texts, 2))


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
    check_rows(names_and_scores(ask(both, "serving_default", text=texts)), expected)
    answer = ask(both, "score", text=texts, labels=[union] * len(texts))
    np.testing.assert_allclose(answer["scores"], scores, atol=1e-5)


def test_half_precision_is_traced_in_float32(first):
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = make_model(0, list("pqrst"), [[0, 3, -1], [1, 4, 2]])
    assert half.encoder(tokens_of(half, ["a"])).dtype == "bfloat16"
    keras.config.set_dtype_policy("float32")
    assert convert_to_float32(first) is first
    answer = ask(ServingModule([half], k=3), "serving_default", text=TEXTS)
    check_rows(names_and_scores(answer), first.recommend(TEXTS, 3))


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
        names_and_scores(ask(module, "serving_default", text=texts)),
        model.recommend(texts, 1),
    )


@pytest.mark.parametrize("k", [0, 5])
def test_k_out_of_range(first, k):
    with pytest.raises(BadInput, match="Expected k between 1 and 4"):
        ServingModule([first], k)
