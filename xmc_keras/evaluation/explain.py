"""Explaining a label of a text by words and training documents."""

import collections

import numpy as np
import tensorflow as tf
from sklearn.preprocessing import normalize

from xmc_keras.data.documents import Documents
from xmc_keras.data.inputs import build_inputs
from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.evaluation.explanation import Explanation, SimilarDocument, WordPart
from xmc_keras.files.bad_input import BadInput
from xmc_keras.progress import phase
from xmc_keras.recommending.hybrid import Hybrid, find_logits
from xmc_keras.recommending.recommend import check_integer, check_reads_texts
from xmc_keras.text.name_features import name_features


def explain(model, text, label, documents, k=5):
    """Explains a label of a text by the model's own features.

    Documents: those with the label, by the cosine of their features with those of the
    text. A weight row of a label is a sum of features of documents, so a document
    speaks for its labels on a text as much as their features agree. The features are
    TF-IDF rows if the model has `linear` rows or words of labels (`lexical`), which are
    sums of them and generalise least; otherwise the encoder's, as the ranker or the
    classifier reads them.

    Words: for a `LightDXML` over words, what each word adds to the logit. The logit is
    an exact sum of these parts and the biases. Linear rows and words of labels are
    linear in the TF-IDF weights of the text. The classifier reads the encoder, whose
    only bends are relus that are on or off for this text: its part of a word is the
    slope of the classifier's logit by the word's weight, times this weight. So the
    parts describe the text as it is. Without a word the weights of the others are
    larger, since rows have norm 1, and other relus are on. What n-grams of characters
    add is given to the words that contain them, in proportion to how often they do. Of
    a `Hybrid` the parts are those of its words; the rest has the transformer's. A
    score with `beta` below 1 also has a part from cosines, which words do not explain.

    Only the text and the documents with the label are encoded.

    Args:
        model: a `LightXML` or `LightDXML` with label names, and with a tokenizer or a
            vectorizer.
        text: string.
        label: string. Name of a label that the model knows.
        documents: `Documents`, usually those of training.
        k: int. Maximum number of documents, and of words in the printed table. Defaults
            to `5`.

    Returns:
        `Explanation`. Without a document that has the label, or a word that the model
        knows, its lists are empty, and it says so when printed.

    Raises:
        BadInput: the label is unknown, the text has nothing to read, or `documents` are
            no `Documents`.
        ValueError: the model has no label names or cannot read texts, or `k` is not a
            positive integer.

    Example:

    >>> from xmc_keras import Documents, LightDXML, LabelWords
    >>> from xmc_keras import SparseTextEncoder, WordVectorizer
    >>> texts = ["red sea", "sea chart", "star chart"]
    >>> labels = [["water"], ["water", "map"], ["map"]]
    >>> vectorizer = WordVectorizer.fit(texts)
    >>> model = LightDXML(
    ...     SparseTextEncoder(vectorizer.num_features, dim=4), num_labels=2,
    ...     lexical=LabelWords(2, vectorizer.num_features), vectorizer=vectorizer,
    ...     label_names=["map", "water"])
    >>> model.recommend(texts)  # builds it
    [...]
    >>> label_matrix = model.label_set.encode(labels)
    >>> model.lexical.refresh(vectorizer.transform(texts), label_matrix)
    >>> found = explain(model, "The Sea", "water", Documents(texts, labels), k=1)
    >>> found.documents[0].text, found.words[0].word
    ('sea chart', 'sea')
    """
    check_reads_texts(model, "to explain labels of raw texts")
    label_id = _find_label(model, label)
    if not isinstance(text, str) or not text.strip():
        raise BadInput(
            f"Expected a text to explain. Received: {text!r:.80}. Pass one string that "
            "is not blank."
        )
    if not isinstance(documents, Documents):
        raise BadInput(
            "Expected `documents`, such as `Documents(texts, labels)`. Received: "
            f"{type(documents).__name__}."
        )
    k = check_integer("k", k, "documents to find")
    x = next(build_inputs(model, [text]).batches())
    x = {name: tf.convert_to_tensor(value) for name, value in x.items()}
    found = _score(model, x, label_id)
    if getattr(model, "vectorizer", None) is not None:
        if isinstance(model, Hybrid):
            of_words = {"token_ids": x["word_ids"], "token_weights": x["word_weights"]}
            found |= _split_logit(model.words, of_words, label_id, text)
            logit = float(find_logits(found["score"]))
            found["rest"] += logit - found["logit"]
            found |= {"logit": logit, "rest_name": "biases and transformer"}
        else:
            found |= _split_logit(model, x, label_id, text)
    places = [i for i, names in enumerate(documents.labels) if label in names]
    cosines = _compare(model, text, [documents.texts[i] for i in places])
    best = np.argsort(-cosines, kind="stable")[:k]
    return Explanation(
        text,
        label,
        documents=[
            SimilarDocument(places[i], float(cosines[i]), documents.texts[places[i]])
            for i in best
        ],
        num_documents=len(places),
        num_words=k,
        **found,
    )


def _find_label(model, label):
    try:
        return model.label_set.id(label)
    except (TypeError, ValueError):
        raise BadInput(
            f"Expected one of the {len(model.label_set):,} labels of the model, such "
            f"as {model.label_set.names[0]!r}. Received: {label!r:.80}. "
            "`model.label_set.names` has all of them."
        ) from None


def _score(model, x, label_id):
    """Score, rank, and whether the label is a candidate."""
    if not model.built:
        model(x, training=False)
    encoded = model.encode(x)
    found = model.rank(*encoded)
    names = {"predicted_ids", "scores", "candidates"} & found.keys()
    found = {name: found[name].numpy()[0] for name in names}
    places = np.flatnonzero(found["predicted_ids"] == label_id)
    if len(places):
        rank, score = int(places[0]) + 1, found["scores"][places[0]]
    else:
        label_ids = tf.constant([[label_id]])
        rank, score = None, model.score_labels(label_ids, *encoded)[0, 0]
    return {
        "score": float(score),
        "rank": rank,
        # One-vs-all scores all labels.
        "is_candidate": label_id in found.get("candidates", [label_id]),
    }


def _split_logit(model, x, label_id, text):
    """The logit of a label, the parts of words, and the rest."""
    label_ids, weights = tf.constant([[label_id]]), x["token_weights"]
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(weights)
        features = model.encoder(x, training=False)
        dense = model.classifier(features, label_ids)
        words = model.read_words(x)
        # Linear in the weights of words, if the features are constant.
        logit = model.logits(tf.stop_gradient(features), label_ids, words)
    parts = [
        (tape.gradient(part, weights, unconnected_gradients="zero") * weights).numpy()
        for part in (dense, logit)
    ]
    sums = collections.defaultdict(lambda: np.zeros(2))
    names = name_features(model.vectorizer, text)
    for place, feature in enumerate(x["token_ids"].numpy()[0]):
        if feature < 0:
            continue
        counts = names[feature]
        for name, count in counts.items():
            share = count / counts.total()
            sums[name] += [share * part[0, place] for part in parts]
    words = [WordPart(n, float(s.sum()), float(s[1])) for n, s in sums.items()]
    words.sort(key=lambda part: (-abs(part.logit), part.word))
    logit = float(logit[0, 0])
    rest = logit - sum(part.logit for part in words)
    return {"logit": logit, "words": words, "rest": rest}


def _compare(model, text, texts):
    """Cosines (texts,) of the features of texts with those of one text."""
    if not texts:
        return np.zeros(0)
    words = getattr(model, "words", model)
    if any(getattr(words, name, None) is not None for name in ("linear", "lexical")):
        rows = model.vectorizer.transform([text, *texts])  # of norm 1, or 0
        return (rows[1:] @ rows[0].T).toarray()[:, 0]
    with phase(f"Encoding {len(texts)} documents"):
        features = encode_documents(model.encoder, build_inputs(model, [text, *texts]))
    if not hasattr(model, "split_features"):
        rows = normalize(features)
    else:
        rows = normalize(np.asarray(model.split_features(features)[-1]))
    return rows[1:] @ rows[0]
