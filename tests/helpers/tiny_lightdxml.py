"""LightDXML models of a few words, with random weights far from zero."""

import keras
import numpy as np
import scipy.sparse

from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
from xmc_keras.text.word_vectorizer import WordVectorizer

NAMES = list("pqrstu")
WORDS = "sea sky air mud sun"


def make_vectorizer():
    return WordVectorizer.fit([WORDS, *WORDS.split(), "sea sky"], max_ngram=2)


def make_lightdxml(seed=0, names=NAMES, vectorizer=True, residual=True, **arguments):
    """A built `LightDXML` that reads `WORDS`, or features without `vectorizer`."""
    keras.utils.set_random_seed(seed)
    words = make_vectorizer()
    arguments = {"num_candidates": 5, "num_predictions": 4, "beta": 0.6, **arguments}
    model = LightDXML(
        SparseTextEncoder(words.num_features, dim=3, residual=residual),
        len(names),
        vectorizer=words if vectorizer else None,
        label_names=names,
        **arguments,
    )
    model(inputs_of([[0, 1.0]]))
    tables = [model.encoder.token_embeddings, *model.classifier.weights]
    for weight in tables:
        weight.assign(keras.random.normal(weight.shape, seed=seed + 1))
    if residual:
        kernel = model.encoder.block.kernel
        kernel.assign(keras.random.normal(kernel.shape, seed=seed + 2))
    random_numbers = np.random.default_rng(seed)
    model.refresh(random_numbers.normal(size=(len(names), 3)).astype("float32"))
    return model


def inputs_of(*rows):
    """The encoder's input for rows of `[id, weight]`."""
    width = max(map(len, rows), default=0)
    ids = np.full((len(rows), max(width, 1)), -1, "int32")
    weights = np.zeros(ids.shape, "float32")
    for i, row in enumerate(rows):
        for j, (token, weight) in enumerate(row):
            ids[i, j], weights[i, j] = token, weight
    return {"token_ids": ids, "token_weights": weights}


def rows_of(model, texts):
    """The encoder's input for texts, from the rows of the model's vectorizer."""
    features = model.vectorizer.transform(texts)
    rows = [features[i] for i in range(len(texts))]
    return inputs_of(*(list(zip(row.indices, row.data)) for row in rows))


def all_scores(model, features, of_words=(0, 0)):
    """Scores of all labels (texts, labels) in NumPy, and whether each is a candidate.

    From features (texts, dim) and what words of labels add to logits, (texts, labels):
    in the search, and after it.
    """
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    table, bias = model.classifier.get_weights()
    labels = model.nearest.label_embeddings.numpy()
    labels = labels / np.linalg.norm(labels, axis=1, keepdims=True)
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features / np.maximum(norms, 1e-12) @ labels.T
    logits = features @ table.T + bias
    ranked = logits + of_words[0]
    if model.candidates_from == "embeddings":
        ranked = cosines
    logits = logits + of_words[1]
    places = np.argsort(np.argsort(-ranked, axis=1, kind="stable"), axis=1)
    candidate = places < model.num_candidates
    first, second = sigmoid(logits), sigmoid(cosines)
    lengths = [np.sqrt((part**2 * candidate).sum(1)) for part in (first, second)]
    scale = (lengths[0] / lengths[1])[:, None]
    beta = float(model.beta.numpy())
    return np.minimum(beta * first + (1 - beta) * scale * second, 1), candidate


def make_with_words(num_words=4, coarse_words=2, **arguments):
    """A model whose labels have words; `u` has none, and some have few."""
    num_features = make_vectorizer().num_features
    lexical = LabelWords(len(NAMES), num_features, num_words, coarse_words)
    model = make_lightdxml(lexical=lexical, **{"beta": 0.9, **arguments})
    rng = np.random.default_rng(3)
    features = rng.random((9, num_features)) * (rng.random((9, num_features)) < 0.4)
    labels = rng.random((9, len(NAMES))) < 0.4
    labels[:, -1] = False
    lexical.refresh(*map(scipy.sparse.csr_matrix, (features, labels)))
    lexical.gains.assign(rng.uniform(0.5, 2, (num_features, 1)))
    lexical.scale.assign(1.5)
    return model


def of_words(model, features):
    """Logits (texts, labels) from words, in NumPy: in the search, and in all."""
    lexical = model.lexical
    ids, weights = lexical.word_ids.numpy(), lexical.word_weights.numpy()
    tables = np.zeros((2, len(ids), lexical.num_features))
    for label, (row, row_weights) in enumerate(zip(ids, weights)):
        for place, (word, weight) in enumerate(zip(row, row_weights)):
            if word >= 0:
                tables[1, label, word] = weight
                tables[0, label, word] = weight * (place < lexical.coarse_words)
    gained = features * lexical.gains.numpy()[:, 0]  # (texts, features)
    return [float(lexical.scale) * gained @ table.T for table in tables]


def make_with_linear(make=make_lightdxml, seed=5, **arguments):
    """A model with a linear member, in which `u` and the first word have no weights."""
    num_features = make_vectorizer().num_features
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(len(NAMES), num_features))
    rows *= rng.random(rows.shape) < 0.6
    rows[-1] = rows[:, 0] = 0
    linear = SparseOneVsAll(*rows.shape, np.count_nonzero(rows))
    linear.refresh(scipy.sparse.csr_matrix(rows), rng.normal(size=len(NAMES)))
    arguments = {"candidates_from": "classifier", "beta": 1.0, **arguments}
    return make(linear=linear, **arguments)


def of_linear(model, features):
    """Logits (texts, labels) of the linear member from features, in NumPy."""
    starts, label_ids, weights, bias = model.linear.get_weights()
    table = np.zeros((model.linear.num_features, model.num_labels))
    for word in range(len(table)):
        places = slice(starts[word], starts[word + 1])
        table[word, label_ids[places]] = weights[places]
    return features @ table + bias


def scores_with_linear(model, texts):
    """Same as `all_scores`, from texts, of a model of `make_with_linear`."""
    rows = model.vectorizer.transform(texts).toarray()
    added = [of_linear(model, rows)] * 2
    if model.lexical is not None:
        added = [part + words for part, words in zip(added, of_words(model, rows))]
    return all_scores(model, model.encoder(rows_of(model, texts)).numpy(), added)
