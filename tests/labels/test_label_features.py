import collections
import math
import re

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels import label_features as label_features_file
from xmc_keras.labels.label_features import document_features, label_features

TEXTS = ["A text editor", "Editor for editor fans, in C", "C library, for text", "..."]


def plain_tfidf(texts, min_df):
    """Oracle: (1 + ln tf) (1 + ln((1 + N) / (1 + df))) per word, rows of norm 1."""
    counts = [collections.Counter(re.findall(r"\w+", text.lower())) for text in texts]
    df = collections.Counter(word for count in counts for word in count)
    words = sorted(word for word in df if df[word] >= min_df)
    rows = []
    for count in counts:
        idf = {word: 1 + math.log((1 + len(texts)) / (1 + df[word])) for word in words}
        row = [(1 + math.log(count[w])) * idf[w] if w in count else 0 for w in words]
        norm = math.sqrt(sum(value**2 for value in row)) or 1
        rows.append([value / norm for value in row])
    return np.array(rows)


def plain_pifa(features, label_matrix):
    rows = []
    for column in label_matrix.T:
        total = np.zeros(features.shape[1])
        for document in np.flatnonzero(column):
            total = total + features[document]
        norm = math.sqrt(sum(value**2 for value in total)) or 1
        rows.append(total / norm)
    return np.array(rows)


@pytest.mark.parametrize("min_df", [1, 2])
def test_document_features_are_tfidf(min_df):
    features = document_features(TEXTS, min_df=min_df)
    assert isinstance(features, scipy.sparse.csr_matrix)
    assert features.dtype == np.float32
    np.testing.assert_allclose(
        features.toarray(), plain_tfidf(TEXTS, min_df), rtol=1e-5, atol=1e-7
    )


def test_rare_words_count_only_among_few_texts():
    many = ["common words"] * 1000
    assert document_features([*many[1:], "common rarity"]).shape == (1000, 2)
    assert document_features([*many[2:], "common rarity"]).shape == (999, 3)


def test_texts_that_share_no_word():
    assert document_features(["one", "two"]).shape == (2, 2)
    assert document_features([f"word{i}" for i in range(1000)]).shape == (1000, 1000)
    with pytest.raises(ValueError, match="no terms remain"):
        document_features(["one", "two"], min_df=2)


def test_options_reach_scikit_learn():
    assert document_features(["Ab ab", "aB"], lowercase=False).shape == (2, 3)
    assert document_features(["a b"], ngram_range=(1, 2)).shape == (1, 3)
    with pytest.raises(ValueError, match="norm"):
        document_features(["a b"], norm="l7")
    with pytest.raises(TypeError, match="not_an_option"):
        document_features(["a b"], not_an_option=1)


@pytest.mark.parametrize("texts", [[], [""], ["...", "--"]])
def test_texts_without_words(texts):
    with pytest.raises(BadInput, match=f"at least one word .* {len(texts)} texts"):
        document_features(texts)


def test_one_text_is_no_list():
    with pytest.raises(ValueError, match="Expected `texts` as a list"):
        document_features("a text")


@settings(deadline=None, max_examples=60)
@given(
    num_documents=st.integers(1, 12),
    num_labels=st.integers(1, 12),
    num_features=st.integers(1, 8),
    seed=st.integers(0, 2**32 - 1),
    form=st.sampled_from([scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, np.array]),
)
def test_label_features_are_normalised_sums(
    num_documents, num_labels, num_features, seed, form
):
    rng = np.random.default_rng(seed)
    features = rng.random((num_documents, num_features)).astype(np.float32)
    features *= rng.random(features.shape) < 0.4
    label_matrix = (rng.random((num_documents, num_labels)) < 0.3).astype(np.float32)
    found = label_features(form(features), form(label_matrix))
    assert isinstance(found, scipy.sparse.csr_matrix)
    assert found.dtype == np.float32
    assert found.shape == (num_labels, num_features)
    expected = plain_pifa(features, label_matrix)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5, atol=1e-7)


def test_threads_and_width_of_indices_do_not_matter(monkeypatch):
    features = scipy.sparse.random(300, 60, 0.2, "csr", np.float32, rng=0)
    labels = scipy.sparse.random(300, 500, 0.01, "csr", np.float32, rng=1)
    first = label_features(features, labels, num_threads=1)
    assert first.indices.dtype == first.indptr.dtype == np.int32
    monkeypatch.setattr(label_features_file, "_MOST_IN_INT32", 100)
    for threads in (None, 5):
        other = label_features(features, labels, threads)
        assert other.data.tobytes() == first.data.tobytes()
        np.testing.assert_array_equal(other.indices, first.indices)
        np.testing.assert_array_equal(other.indptr, first.indptr)


def test_label_without_documents_has_a_zero_row():
    features = scipy.sparse.csr_matrix(np.eye(2, dtype=np.float32))
    found = label_features(features, scipy.sparse.csr_matrix([[1, 0], [1, 0]]))
    np.testing.assert_allclose(found.toarray(), [[0.5**0.5, 0.5**0.5], [0, 0]])


def test_arguments_stay_as_they_were():
    features = scipy.sparse.random(5, 4, 0.6, "csr", np.float32, rng=0)
    labels = scipy.sparse.random(5, 3, 0.6, "csr", np.float32, rng=1)
    before = features.toarray(), labels.toarray()
    label_features(features, labels)
    np.testing.assert_array_equal(features.toarray(), before[0])
    np.testing.assert_array_equal(labels.toarray(), before[1])


def test_rows_must_agree():
    with pytest.raises(ValueError, match="Received: 2 and 3 rows"):
        label_features(np.eye(2), np.eye(3))


def test_where_there_is_too_much_each_label_keeps_its_largest_values(monkeypatch):
    features = scipy.sparse.random(80, 60, 0.2, "csr", np.float32, rng=0)
    features.data = np.round(features.data, 1)  # so that some are equal
    labels = scipy.sparse.random(80, 40, 0.1, "csr", np.float32, rng=1)
    labels.data[:] = 1
    whole = label_features(features, labels).toarray()
    monkeypatch.setattr(label_features_file, "_MOST_A_LABEL", 9)
    values = sum(features[d].nnz * labels[d].nnz for d in range(80))
    monkeypatch.setattr(label_features_file, "_MOST_VALUES", values)
    np.testing.assert_array_equal(label_features(features, labels).toarray(), whole)
    monkeypatch.setattr(label_features_file, "_MOST_VALUES", values - 1)
    found = label_features(features, labels)
    assert np.diff(found.indptr).max() == 9
    for row, all_values in zip(found.toarray(), whole):
        kept = sorted(range(60), key=lambda i: (-all_values[i], i))[:9]
        expected = np.zeros(60)
        expected[kept] = all_values[kept]
        expected /= np.linalg.norm(expected) or 1
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-7)
