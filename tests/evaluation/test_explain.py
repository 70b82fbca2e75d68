import collections
import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.served_cascade import make_cascade
from tests.helpers.served_lightxml import tokens_of
from tests.helpers.tiny_bert import tiny_bert
from tests.helpers.tiny_lightdxml import (
    NAMES,
    make_lightdxml,
    make_with_linear,
    make_with_words,
    of_linear,
    of_words,
    rows_of,
)
from tests.recommending.test_recommend import make_model as make_lightxml
from xmc_keras import BadInput, Documents, FeatureDocuments, LightDXML, explain
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.paired_encoders import PairedEncoders
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.text.word_vectorizer import WordVectorizer

TEXT = "Sky: sea, mud and SEA sky"
DOCUMENTS = Documents(
    ["sea mud", "sky air", "sky sea sky", "mud", "sea", "none", "sky"],
    [["p", "q"], ["q"], ["q", "r"], ["p"], ["q"], ["q"], ["s"]],
)
MAKERS = {
    "plain": make_lightdxml,
    "no residual": lambda **arguments: make_lightdxml(residual=False, **arguments),
    "words of labels": make_with_words,
    "linear": make_with_linear,
    "both": lambda **arguments: make_with_linear(make_with_words, **arguments),
}


@functools.cache
def make(kind):
    """A model, which no test changes, that predicts all labels."""
    return MAKERS[kind](beta=1.0, num_candidates=6, num_predictions=6)


def named_features(model):
    """Names of the features of `TEXT`, from texts of one word or two."""
    found = {}
    for name in ("sky", "sea", "mud", "sea sky"):  # "and" is unknown
        known = set(found)
        for column in model.vectorizer.transform([name]).indices.tolist():
            if column not in known:
                found[column] = name
    return found


def parts_in_numpy(model, label):
    """Of each feature: the encoder's part and the linear one; and the constants."""
    row = model.vectorizer.transform([TEXT]).toarray()[0].astype("float64")
    table, bias = (weight[label] for weight in model.classifier.get_weights())
    embeddings = model.encoder.token_embeddings.numpy()
    on = row @ embeddings > 0
    slope, rest = table, bias
    if model.encoder.block is not None:
        offset = model.encoder.block(np.zeros((1, 3), "float32")).numpy()[0]
        matrix = model.encoder.block(np.eye(3, dtype="float32")).numpy() - offset
        still_on = np.where(on, row @ embeddings, 0) @ matrix + offset > 0
        slope = table + matrix @ (table * still_on)
        rest += offset @ (table * still_on)
    dense = row * (embeddings @ (slope * on))
    linear = np.zeros_like(row)
    if model.lexical is not None:
        linear += of_words(model, np.diag(row))[1][:, label]
    if model.linear is not None:
        own = of_linear(model, np.zeros((1, len(row))))[0, label]
        linear += of_linear(model, np.diag(row))[:, label] - own
        rest += own
    return dense, linear, rest


@pytest.mark.parametrize("kind", MAKERS)
def test_words_and_biases_add_up_to_the_logit(kind):
    model = make(kind)
    scores = dict(model.recommend([TEXT], k=6)[0])
    ids = {name: column for column, name in named_features(model).items()}
    for label in ("p", "q", "u"):  # "u" has no words and no linear row
        found = explain(model, TEXT, label, DOCUMENTS)
        label_id = NAMES.index(label)
        dense, linear, rest = parts_in_numpy(model, label_id)
        assert {part.word for part in found.words} == set(ids)
        for word, logit, own in found.words:
            place = ids[word]
            assert logit == pytest.approx(dense[place] + linear[place], abs=1e-4)
            assert own == pytest.approx(linear[place], abs=1e-4)
        assert found.rest == pytest.approx(rest, abs=1e-4)
        total = sum(part.logit for part in found.words) + found.rest
        assert found.logit == pytest.approx(total, abs=1e-4)
        assert scores[label] == pytest.approx(1 / (1 + np.exp(-total)), abs=1e-4)
        sizes = [abs(part.logit) for part in found.words]
        assert sizes == sorted(sizes, reverse=True)


def test_characters_count_for_the_words_that_contain_them():
    texts = ["sea season", "sky", "seas of mud", "mud sky"]
    vectorizer = WordVectorizer.fit(texts, max_ngram=2, char_ngrams=(3, 4))
    encoder = SparseTextEncoder(vectorizer.num_features, dim=4)
    model = LightDXML(
        encoder, 3, beta=1.0, vectorizer=vectorizer, label_names=["p", "q", "r"]
    )
    text = "Seasons, seashore: sky"
    model.recommend([text])  # builds it
    for seed, weight in enumerate(model.trainable_weights):
        weight.assign(keras.random.normal(weight.shape, seed=seed))
    found = explain(model, text, "q", DOCUMENTS)
    x = rows_of(model, [text])
    expected = collections.Counter()
    for place, slope in enumerate(slopes(model, x, 1)):
        part = slope * x["token_weights"][0, place]
        value = vectorizer.hashes.numpy()[x["token_ids"][0, place]]
        times = {word: count_pieces(word, value) for word in WORDS}
        for word, number in times.items():
            expected[word] += part * number / sum(times.values())
    assert {part.word: part.logit for part in found.words} == pytest.approx(
        expected, abs=1e-2
    )
    total = sum(part.logit for part in found.words) + found.rest
    score = dict(model.recommend([text])[0])["q"]
    assert score == pytest.approx(1 / (1 + np.exp(-total)), abs=1e-4)


WORDS = ["seasons", "seashore", "sky"]


def slopes(model, x, label, step=1e-3):
    """Slopes of a label's logit by each weight, by differences."""
    weights = x["token_weights"]
    found = []
    for row in step * np.eye(weights.shape[1], dtype="float32"):
        moved = np.concatenate([weights + row, weights - row])
        ids = np.concatenate([x["token_ids"]] * 2)
        features = model.encoder({"token_ids": ids, "token_weights": moved})
        logits = model.classifier(features, np.array([[label]] * 2)).numpy()[:, 0]
        found.append((logits[0] - logits[1]) / (2 * step))
    return found


def count_pieces(word, value):
    """How often the feature of a hash is in a word: pieces of it, or all of it."""
    padded = f" {word} "
    pieces = [padded[i : i + n] for n in (3, 4) for i in range(len(padded) - n + 1)]
    buckets = tf.strings.to_hash_bucket_fast([*pieces, word], 2**63 - 1).numpy()
    return int((-1 - buckets[:-1] == value).sum() + (buckets[-1] == value))


@pytest.mark.parametrize("kind", ["plain", "words of labels"])
def test_score_and_rank_are_those_of_the_model(kind):
    model = MAKERS[kind](num_candidates=4, num_predictions=2)
    top = model.recommend([TEXT], k=2)[0]
    found = {name: explain(model, TEXT, name, DOCUMENTS) for name in NAMES}
    for rank, (name, score) in enumerate(top, 1):
        assert found[name].rank == rank and found[name].is_candidate
        assert found[name].score == pytest.approx(score, abs=1e-5)
    others = [found[name] for name in NAMES if name not in dict(top)]
    assert [part.rank for part in others] == [None] * 4
    assert sum(part.is_candidate for part in others) == 2
    for part in others:
        place = "not among the candidates"
        if part.is_candidate:
            place = "not among its predictions"
        assert f"score {part.score:.2f}, {place}\n" in str(part)
    least = min(score for _, score in top)
    assert all(0 < part.score <= least for part in others if part.is_candidate)


def cosine(a, b):
    return a @ b / np.maximum(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)


@pytest.mark.parametrize("kind", MAKERS)
def test_documents_are_those_with_the_label_by_cosine(kind):
    model = make(kind)
    texts = [TEXT, *DOCUMENTS.texts]
    features = model.encoder(rows_of(model, texts)).numpy()
    if kind not in ("plain", "no residual"):
        features = model.vectorizer.transform(texts).toarray()
    expected = {i: cosine(features[i + 1], features[0]) for i in (0, 1, 2, 4, 5)}
    order = sorted(expected, key=lambda i: (-round(expected[i], 5), i))
    for k in (1, 3, 9):
        found = explain(model, TEXT, "q", DOCUMENTS, k=k)
        assert [index for index, _, _ in found.documents] == order[:k]
        assert found.num_documents == 5
        for index, value, text in found.documents:
            assert value == pytest.approx(expected[index], abs=1e-5)
            assert text == DOCUMENTS.texts[index]


@pytest.mark.parametrize("paired", [False, True])
def test_lightxml(paired):
    model, other = (make_lightxml(make_backbone(i), max_tokens=6) for i in (0, 50))
    if paired:
        model = LightXML(
            PairedEncoders(other.encoder, model.encoder),
            model.generator,
            model.ranker,
            model.tokenizer,
            max_tokens=6,
            label_names=["a", "b", "c"],
        )
    documents = Documents(
        ["cafe", "lait", "cafe au lait", "au au", "lait au"],
        [["b"], ["a"], ["b", "a"], ["a"], ["a"]],
    )
    text = "Café lait"
    # By hand: [CLS], words and [SEP], of the text and of the last four documents.
    ids = [[2, 5, 7, 3], [2, 7, 3], [2, 5, 6, 7, 3], [2, 6, 6, 3], [2, 7, 6, 3]]
    rows = np.array([[*row, 0, 0, 0][:6] for row in ids])
    features = model.encoder({"token_ids": rows, "padding_mask": rows > 0}).numpy()
    if paired:
        features = features[:, features.shape[1] // 2 :]
    cosines = {i: cosine(features[0], features[i]) for i in range(1, 5)}
    assert np.diff(sorted(cosines.values())).min() > 0.003
    found = explain(model, text, "a", documents, k=3)
    best = sorted(cosines, key=cosines.get, reverse=True)[:3]
    assert [document.index for document in found.documents] == best
    for index, value, _ in found.documents:
        assert value == pytest.approx(cosines[index], abs=1e-4)
    assert found.words is found.logit is found.rest is None
    for rank, (name, score) in enumerate(model.recommend([text], k=3)[0], 1):
        found = explain(model, text, name, documents)
        assert (found.rank, found.score) == (rank, pytest.approx(score, abs=1e-5))
        assert f"{name}: score {score:.2f}, rank {rank}\n" in f"{found}\n"


def test_a_lightxml_of_several_levels():
    """The documents are compared by what the ranker reads, the last layer."""
    model, texts = make_cascade(), ["a b", "c d e", "f g"]
    features = model.encoder(tokens_of(model, [*texts, "c d"])).numpy()
    documents = Documents(texts, [["p"], ["p"], ["p"]])
    ranked = dict(model.recommend(["c d"], k=5)[0])
    for name in model.label_set.names:
        found = explain(model, "c d", name, documents)
        if name in ranked:
            assert found.score == pytest.approx(ranked[name], abs=1e-5)
        else:
            assert found.rank is None
    first, last = (
        np.array([cosine(row, part[3]) for row in part[:3]])
        for part in (features[:, :4], features[:, -4:])
    )
    assert np.abs(first - last).max() > 1e-3
    found = {d.index: d.cosine for d in explain(model, "c d", "p", documents).documents}
    np.testing.assert_allclose([found[i] for i in range(3)], last, atol=1e-5)


def make_backbone(first_seed):
    """A tiny BERT whose features are far apart."""
    backbone = tiny_bert()
    for seed, weight in enumerate(backbone.weights, first_seed):
        if len(weight.shape) > 1:
            weight.assign(keras.random.normal(weight.shape, seed=seed))
    return backbone


def test_a_label_or_a_text_with_nothing_to_show():
    model = make("linear")
    found = explain(model, "of unknown", "t", DOCUMENTS)
    assert (found.words, found.documents, found.num_documents) == ([], [], 0)
    assert found.rest == pytest.approx(found.logit)
    assert "The model knows no word of the text." in str(found)
    assert str(found).endswith("No document has the label.")
    found = explain(model, "of unknown", "q", DOCUMENTS)
    assert [round(d.cosine, 6) for d in found.documents] == [0.0] * 5


def test_a_lightdxml_over_subwords():
    tokenizer = make_lightxml(make_backbone(0), max_tokens=6).tokenizer
    encoder = MultiLayerCLSEncoder(make_backbone(0), 2)
    model = LightDXML(encoder, 2, tokenizer=tokenizer, label_names=["a", "b"])
    documents = Documents(["lait", "au lait"], [["a"], ["a"]])
    found = explain(model, "lait", "a", documents)  # not built before
    assert found.documents[0].index == 0
    assert found.documents[0].cosine == pytest.approx(1, abs=1e-5)
    assert found.words is None and found.rank in (1, 2)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = make_with_linear(beta=1.0, num_candidates=6, num_predictions=6)
    scores = dict(model.recommend([TEXT], k=6)[0])
    for label in ("p", "q", "u"):
        found = explain(model, TEXT, label, DOCUMENTS)
        total = sum(part.logit for part in found.words) + found.rest
        assert scores[label] == pytest.approx(1 / (1 + np.exp(-total)), abs=1e-4)
        _, _, rest = parts_in_numpy(model, NAMES.index(label))
        assert found.rest == pytest.approx(rest, abs=0.05)


def test_what_is_printed():
    model = make("linear")
    found = explain(model, TEXT, "q", DOCUMENTS, k=2)
    lines = str(found).splitlines()
    assert lines[0] == f"q: score {found.score:.2f}, rank {found.rank}"
    assert lines[1] == f"words, of the logit {found.logit:+.2f}"
    for line, part in zip(lines[2:4], found.words):
        assert line.split(maxsplit=1) == [f"{part.logit:+.2f}", part.word]
    others = sum(part.logit for part in found.words[2:])
    assert lines[4].split(maxsplit=1) == [f"{others:+.2f}", "2 other words"]
    assert lines[5].split(maxsplit=1) == [f"{found.rest:+.2f}", "biases"]
    assert lines[6] == "2 of 5 documents with the label, by cosine"
    assert len(lines) == 9


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"label": "x"}, "one of the 6 labels.*such as 'p'. Received: 'x'"),
        ({"label": 3}, "Received: 3"),
        ({"label": ["p"]}, r"Received: \['p'\]"),
        ({"text": ""}, "Expected a text to explain. Received: ''"),
        ({"text": " \n"}, "Expected a text to explain"),
        ({"text": None}, "Received: None.*one string"),
        ({"text": ["sea"]}, r"Received: \['sea'\].*one string"),
        ({"documents": ["sea"]}, "Expected `documents`.*Received: list"),
        (
            {"documents": FeatureDocuments(None, [], [], "t", "t")},
            r"`Documents\(texts, labels\)`.*Received: FeatureDocuments",
        ),
    ],
)
def test_bad_input(arguments, message):
    arguments = {"text": TEXT, "label": "p", "documents": DOCUMENTS, **arguments}
    with pytest.raises(BadInput, match=message):
        explain(make("plain"), **arguments)


@pytest.mark.parametrize("k", [0, -1, 1.5, None, "2"])
def test_bad_k(k):
    with pytest.raises(ValueError, match="`k`, the documents to find"):
        explain(make("plain"), TEXT, "p", DOCUMENTS, k)


def test_a_model_that_reads_no_texts():
    with pytest.raises(ValueError, match="`vectorizer`, to explain labels of raw"):
        explain(make_lightdxml(vectorizer=False), TEXT, "p", DOCUMENTS)
