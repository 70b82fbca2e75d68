import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask, best_of_offered, check_rows, names_and_scores
from tests.helpers.served_lightxml import WORDS, make_model, tokens_of
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.files.bad_input import BadInput
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


def test_each_text_has_its_own_k(first, alone):
    texts = ["a", "b c", "d"]
    answer = ask(alone, "top_k", text=texts, k=[1, 3, 0])
    assert answer["labels"].shape == answer["scores"].shape == (3, 3)
    expected = [first.recommend([t], k)[0] for t, k in zip(texts, (1, 3, 1))]
    check_rows(names_and_scores(answer), expected)
    assert answer["labels"][0].tolist()[1:] == [b"", b""]
    assert answer["scores"][0].tolist()[1:] == [0, 0]
    column = ask(alone, "top_k", text=texts, k=[[1], [3], [0]])
    np.testing.assert_array_equal(column["labels"], answer["labels"])
    for k in ([1, 2], [], [1, 2, 3, 4]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="a k for each row"):
            ask(alone, "top_k", text=texts, k=np.array(k, "int32"))


def test_top_k_stays_within_its_bounds(alone):
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
    assert ask(alone, "top_k", text=none, k=3)["labels"].shape == (0, 3)
    no_k = np.zeros(0, "int32")
    assert ask(alone, "top_k", text=none, k=no_k)["labels"].shape == (0, 1)
    for shape in [(0,), (0, 2)]:
        labels = np.zeros(shape, object)
        assert ask(alone, "score", text=none, labels=labels)["scores"].shape == shape


def test_score(first, alone):
    labels = [["t", "no such", "t"], ["", "p", "q"]]
    answer = ask(alone, "score", text=["a b", "c"], labels=labels)
    a, c = all_scores(first, ["a b", "c"])
    expected = [[a[4], -1, a[4]], [-1, c[0], c[1]]]
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-5)


def test_score_of_pairs(alone):
    texts, labels = ["a b", "c", "a b"], ["t", "no such", "p"]
    pairs = ask(alone, "score", text=texts, labels=labels)["scores"]
    table = ask(alone, "score", text=texts, labels=[labels] * 3)["scores"]
    assert pairs.shape == (3,) and pairs[1] == -1
    np.testing.assert_allclose(pairs, np.diag(table), atol=1e-6)


@pytest.mark.parametrize("labels", [[["p"]], "p", ["p"], [[["p"]], [["q"]]]])
def test_score_wants_labels_for_each_text(alone, labels):
    with pytest.raises(tf.errors.InvalidArgumentError, match="a row for each text"):
        ask(alone, "score", text=["a", "b"], labels=labels)


# === Requests that a server merges ===


def merge(requests):
    """One request of several, as TensorFlow Serving's batching merges them."""
    for request in requests:
        (size,) = {len(value) for value in request.values()}  # it refuses others
        assert size
    shapes = [{k: np.shape(v)[1:] for k, v in request.items()} for request in requests]
    assert all(shape == shapes[0] for shape in shapes)  # it refuses others
    return {key: np.concatenate([r[key] for r in requests]) for key in requests[0]}


def merged_and_alone(module, name, requests):
    """Pairs of the answers to each request, merged with the others and alone."""
    answer = ask(module, name, **merge(requests))
    ends = np.cumsum([len(request["text"]) for request in requests])
    assert all(len(values) == ends[-1] for values in answer.values())
    parts = {key: np.split(values, ends[:-1]) for key, values in answer.items()}
    for i, request in enumerate(requests):
        part = {key: values[i] for key, values in parts.items()}
        yield part, ask(module, name, **request)


def some_requests(count):
    random_numbers = np.random.default_rng(count)
    for _ in range(count):
        n = random_numbers.integers(1, 4)
        yield (
            random_numbers,
            [
                " ".join(
                    random_numbers.choice(WORDS[5:], random_numbers.integers(0, 7))
                )
                for _ in range(n)
            ],
        )


@pytest.mark.parametrize("members", ["alone", "both"])
def test_merged_requests_of_other_k(request, members):
    module = request.getfixturevalue(members)
    requests = [
        {"text": texts, "k": rng.integers(-1, 6, len(texts), "int32")}
        for rng, texts in some_requests(20)
    ]
    for merged, own in merged_and_alone(module, "top_k", requests):
        check_rows(names_and_scores(merged), names_and_scores(own))
        width = own["labels"].shape[1]
        assert (merged["labels"][:, width:] == b"").all()
        assert (merged["scores"][:, width:] == 0).all()


def test_merged_requests_of_pairs(both):
    requests = [
        {"text": texts, "labels": rng.choice(list("pqrstux"), len(texts))}
        for rng, texts in some_requests(20)
    ]
    for merged, own in merged_and_alone(both, "score", requests):
        np.testing.assert_allclose(merged["scores"], own["scores"], atol=1e-5)


@pytest.mark.parametrize("name", ["serving_default", "embed"])
def test_merged_requests_of_texts(both, name):
    requests = [{"text": texts} for _, texts in some_requests(20)]
    for merged, own in merged_and_alone(both, name, requests):
        for key, values in own.items():
            if key != "labels":
                np.testing.assert_allclose(merged[key], values, atol=1e-5)


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
