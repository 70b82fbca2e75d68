import hashlib
import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.helpers.damaged import damage
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.version.serving_ops import find_graph_problems
from xmc_keras.text.split_words import split_words
from xmc_keras.text.word_vectorizer import CHAR_SHARE, WordVectorizer

WORDS = ["sea", "sky", "air", "mud", "a", "東", "日本"]
TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join), min_size=1, max_size=12
)
UNICODE = st.lists(st.text(st.characters()), max_size=5)
ODD = [
    "",
    "\0a\0",
    "e\u0301 É é",
    "a\nb\r\nc",
    "😀 👍🏽",
    "\ud800a",
    "ﬁ ½ ™ ß",
    "x" * 999,
]


def by_sklearn(texts, others, **options):
    every = [*texts, *others]
    words = dict(zip(every, split_words(every).to_list()))
    vectorizer = TfidfVectorizer(
        analyzer=lambda text: ngrams(words[text], options.get("max_ngram", 1)),
        min_df=options.get("min_documents", 1),
        sublinear_tf=options.get("sublinear", True),
    )
    vectorizer.fit(texts)
    return vectorizer.transform(others).toarray()


def ngrams(words, max_ngram):
    return [
        b" ".join(words[i : i + n])
        for n in range(1, max_ngram + 1)
        for i in range(len(words) - n + 1)
    ]


def same_up_to_columns(found, expected):
    """The order of features differs, so columns are compared after sorting."""
    assert found.shape == expected.shape
    sort = lambda m: m[:, np.lexsort(np.round(m, 4))]  # noqa: E731
    np.testing.assert_allclose(sort(found), sort(expected), atol=1e-5)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS, st.integers(1, 3), st.booleans(), st.integers(1, 2))
def test_as_scikit_learn(texts, others, max_ngram, sublinear, min_documents):
    options = dict(
        max_ngram=max_ngram, sublinear=sublinear, min_documents=min_documents
    )
    try:
        expected = by_sklearn(texts, texts + others, **options)
    except ValueError:  # no feature is left
        with pytest.raises(BadInput, match=f"in at least {min_documents} of them"):
            WordVectorizer.fit(texts, **options)
        return
    vectorizer = WordVectorizer.fit(texts, **options)
    found = vectorizer.transform(texts + others)
    assert found.has_canonical_format and found.dtype == np.float32
    same_up_to_columns(found.toarray(), expected)


@settings(deadline=None, max_examples=60)
@given(TEXTS, TEXTS, st.integers(1, 2), st.integers(1, 2))
def test_words_and_characters_as_scikit_learn(texts, others, max_ngram, min_documents):
    """Words and `char_wb` apart, each normalised, then joined by their shares."""
    every = texts + others
    options = dict(max_ngram=max_ngram, min_documents=min_documents)
    try:
        words = by_sklearn(texts, every, **options)
    except ValueError:
        words = np.zeros((len(every), 0))
    split = dict(zip(every, split_words(every).to_list()))
    by_characters = TfidfVectorizer(
        analyzer=lambda text: [
            gram
            for word in split[text]
            for n in (2, 3)
            for gram in slices(f" {word.decode()} ", n)
        ],
        min_df=min_documents,
        sublinear_tf=True,
    )
    try:
        by_characters.fit(texts)
    except ValueError:  # no feature is left
        with pytest.raises(BadInput, match=f"in at least {min_documents} of them"):
            WordVectorizer.fit(texts, char_ngrams=(2, 3), **options)
        return
    characters = by_characters.transform(every).toarray()
    expected = np.hstack(
        [np.sqrt(1 - CHAR_SHARE) * words, np.sqrt(CHAR_SHARE) * characters]
    )
    norms = np.linalg.norm(expected, axis=1, keepdims=True)
    expected = np.divide(expected, norms, out=expected, where=norms > 0)
    vectorizer = WordVectorizer.fit(texts, char_ngrams=(2, 3), **options)
    found = vectorizer.transform(every)
    assert found.has_canonical_format and found.dtype == np.float32
    same_up_to_columns(found.toarray(), expected)


def slices(word, n):
    return [word[i : i + n] for i in range(len(word) - n + 1)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A vectorizer, its function in a SavedModel, and the SavedModel."""
    texts = [*ODD, *WORDS, "".join(map(chr, range(0x250))), " ".join(WORDS)]
    options = {"char_ngrams": (3, 4), "fold_accents": True}
    vectorizer = WordVectorizer.fit(texts, max_ngram=2, **options)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def rows(text):
        ids, weights = vectorizer.ragged(text)
        return {
            "ids": ids.to_tensor(-1),
            "weights": weights.to_tensor(-1),
        }

    module = tf.Module()
    module.vectorizer = vectorizer
    module.rows = rows
    path = str(tmp_path_factory.mktemp("saved"))
    tf.saved_model.save(module, path, {"rows": rows})
    assert find_graph_problems(path) == []
    loaded = tf.saved_model.load(path)
    return vectorizer, loaded.signatures["rows"], loaded


@settings(deadline=None, max_examples=60)
@given(UNICODE)
@example(ODD)
def test_rows_of_any_text_are_those_of_a_saved_model(served, texts):
    vectorizer, rows, _ = served
    encoded = [text.encode("utf-8", "replace") for text in texts]
    answer = rows(text=tf.constant(encoded, tf.string, [len(texts)]))
    ids, weights = answer["ids"].numpy(), answer["weights"].numpy()
    found = np.zeros((len(texts), vectorizer.num_features), np.float32)
    for row, row_ids, row_weights in zip(found, ids, weights):
        known = row_ids >= 0
        assert len(set(row_ids[known])) == known.sum()
        row[row_ids[known]] = row_weights[known]
    assert (found == vectorizer.transform(texts).toarray()).all()


def test_rows_do_not_depend_on_the_other_texts(monkeypatch):
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, n)) for n in rng.integers(0, 20, 300)]
    vectorizer = WordVectorizer.fit(texts)
    whole = vectorizer.transform(texts)
    assert whole[texts.index("")].nnz == 0
    monkeypatch.setattr("xmc_keras.text.map_texts.MOST_CHARACTERS", 500)
    parts = vectorizer.transform(texts)
    # TensorFlow computes a single logarithm with other code than eight at once.
    np.testing.assert_allclose(whole.toarray(), parts.toarray(), atol=1e-6)
    again = WordVectorizer.fit(texts)
    assert again.digest() == vectorizer.digest()
    norms = np.sqrt(whole.power(2).sum(axis=1)).A1
    np.testing.assert_allclose(norms[norms > 0], 1, atol=1e-6)


def test_features_that_are_kept():
    texts = ["a b c", "a b", "a"]
    assert WordVectorizer.fit(texts).num_features == 3
    assert WordVectorizer.fit(texts * 400).num_features == 3
    many = WordVectorizer.fit([f"a{i} b" for i in range(1000)])
    assert many.num_features == 1
    alone = WordVectorizer.fit([f"a{i}" for i in range(1000)])
    assert alone.num_features == 1000
    most = WordVectorizer.fit(texts, max_features=2)
    assert most.transform(["c", "a", "b"]).sum(axis=1).A1.tolist() == [0, 1, 1]


def test_features_of_both_kinds_that_are_kept():
    texts = ["abc abcd xabc", "abc", "de"]
    limited = WordVectorizer.fit(texts, max_features=4, char_ngrams=(3, 3))
    signs = np.sign(limited.hashes.numpy()).tolist()
    assert signs == [-1, -1, 1, 1]
    most = limited.transform(["abc", "de"])
    assert most[0].nnz >= 2 and most[1].nnz <= 1
    # There are four words: the rest of the places is for characters, and vice versa.
    many = WordVectorizer.fit(texts, max_features=9, char_ngrams=(3, 3))
    assert np.sign(many.hashes.numpy()).tolist() == [-1] * 5 + [1] * 4
    few = WordVectorizer.fit(["a b c d e"], max_features=7, char_ngrams=(4, 4))
    assert np.sign(few.hashes.numpy()).tolist() == [1] * 5


def test_accents_that_are_taken_off():
    vectorizer = WordVectorizer.fit(["clínico"], fold_accents=True)
    assert vectorizer.transform(["CLINICO", "clínico"]).nnz == 2
    kept = WordVectorizer.fit(["clínico"])
    assert kept.transform(["CLINICO", "clínico"]).nnz == 1


def test_no_texts():
    vectorizer = WordVectorizer.fit(["a"])
    assert vectorizer.transform([]).shape == (0, 1)
    with pytest.raises(BadInput, match="Received: 0 texts without"):
        WordVectorizer.fit([])
    with pytest.raises(BadInput, match="Received: 2 texts without"):
        WordVectorizer.fit(["", "..."])


def test_saved(tmp_path):
    path = tmp_path / "words.npz"
    vectorizer = WordVectorizer.fit(["a b", "b c"], max_ngram=2, sublinear=False)
    vectorizer.save(path)
    assert os.listdir(tmp_path) == ["words.npz"]
    loaded = WordVectorizer.load(path)
    assert (loaded.max_ngram, loaded.sublinear) == (2, False)
    assert loaded.digest() == vectorizer.digest()
    other = WordVectorizer.fit(["a b", "b c"], max_ngram=2)
    assert other.digest() != vectorizer.digest()
    texts = ["a b b", "c"]
    assert (loaded.transform(texts) != vectorizer.transform(texts)).nnz == 0


def test_saved_options(tmp_path):
    path = tmp_path / "words.npz"
    options = {"char_ngrams": [3, 5], "fold_accents": True}
    vectorizer = WordVectorizer.fit(["a café", "b c"], **options)
    vectorizer.save(path)
    loaded = WordVectorizer.load(path)
    assert (loaded.char_ngrams, loaded.fold_accents) == ((3, 5), True)
    assert loaded.digest() == vectorizer.digest()
    for other in ({**options, "char_ngrams": (3, 4)}, {**options, "fold_accents": 0}):
        changed = WordVectorizer(loaded.hashes, loaded.idf, **other)
        assert changed.digest() != vectorizer.digest()
    texts = ["cafe b", "c caf"]
    assert (loaded.transform(texts) != vectorizer.transform(texts)).nnz == 0


def test_file_of_an_earlier_version(tmp_path):
    """Its rows and its digest stay, though texts are split in another way now."""
    path = tmp_path / "words.npz"
    thai, other, arabic = "ภาษาไทย", "東", "إسلام"
    names = [thai.encode(), other.encode(), arabic.encode()]
    hashes = np.sort(tf.strings.to_hash_bucket_fast(names, 2**63 - 1).numpy())
    idf = np.array([1, 2, 3], np.float32)
    np.savez(path, rule=1, hashes=hashes, idf=idf, max_ngram=1, sublinear=True)
    loaded = WordVectorizer.load(path)
    assert loaded.transform([thai, other, arabic]).nnz == 3
    assert loaded.transform(["اسلام", "ภา"]).nnz == 0
    digest = hashlib.sha256(b"(1, 1, True)" + hashes.tobytes() + idf.tobytes())
    assert loaded.digest() == digest.hexdigest()[:16]
    loaded.save(path)
    assert WordVectorizer.load(path).digest() == loaded.digest()


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_file(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "words.npz"
    vectorizer = WordVectorizer.fit(["a b"])
    vectorizer.save(path)
    damage(path, data)
    try:
        assert WordVectorizer.load(path).digest() == vectorizer.digest()
    except BadInput as error:
        assert str(error).startswith(f"{path}: Expected")


def test_file_of_another_rule(tmp_path, monkeypatch):
    WordVectorizer.fit(["a"]).save(tmp_path / "words.npz")
    monkeypatch.setattr("xmc_keras.text.word_vectorizer.RULES", (0, 1))
    with pytest.raises(BadInput, match="by rule 0 or 1. Received: rule 2. Train"):
        WordVectorizer.load(tmp_path / "words.npz")
    with pytest.raises(BadInput, match="No such file"):
        WordVectorizer.load(tmp_path / "no.npz")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: WordVectorizer([2, 1], [1, 1]), "sorted array"),
        (lambda: WordVectorizer([], []), "sorted array"),
        (lambda: WordVectorizer([1, 2], [1]), r"`idf` of shape \(2,\)"),
        (lambda: WordVectorizer([1], [1], max_ngram=0), "`max_ngram` >= 1"),
        (lambda: WordVectorizer([1], [1], rule=3), "`rule` to be one of"),
        (lambda: WordVectorizer([1], [1], char_ngrams=[3]), "such as .3, 5."),
        (lambda: WordVectorizer.fit(["a"], char_ngrams=(5, 3)), "such as .3, 5."),
        (lambda: WordVectorizer.fit(["a"], min_documents=0), "`min_documents` >= 1"),
        (lambda: WordVectorizer.fit(["a"], max_features=0), "`max_features` >= 1"),
        (lambda: WordVectorizer.fit("text"), "Expected a list of strings"),
        (lambda: WordVectorizer.fit(["a"]).transform("text"), "list of strings"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
