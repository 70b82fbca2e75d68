import numpy as np
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import MultiLabelBinarizer

from xmc_keras.data.features.bag_of_words import BagOfWords


def test_matrices_of_scikit_learn():
    texts, labels = ["sea sea sky", "", "mud"], [["b"], ["a", "b"], []]
    features = CountVectorizer().fit_transform(texts)
    label_matrix = MultiLabelBinarizer(sparse_output=True).fit_transform(labels)
    documents = BagOfWords(features, label_matrix)
    assert documents.features.dtype == documents.label_matrix.dtype == np.float32
    assert documents.features.toarray().tolist() == [[0, 2, 1], [0, 0, 0], [1, 0, 0]]
    assert documents.label_matrix.toarray().tolist() == [[0, 1], [1, 1], [0, 0]]
    assert (len(documents), documents.num_features, documents.num_labels) == (3, 3, 2)
    assert (documents.num_empty, documents.num_unlabelled) == (1, 1)
    assert documents.num_unused_labels == 0


def test_unsorted_and_repeated():
    features = scipy.sparse.csr_matrix(([1.0, 2, 3], [2, 0, 2], [0, 3]), (1, 3))
    labels = scipy.sparse.coo_array(([5, 0], ([0, 0], [1, 0])), shape=(1, 2))
    documents = BagOfWords(features, labels)
    assert documents.features.has_canonical_format
    assert documents.features.toarray().tolist() == [[2, 0, 4]]
    assert documents.label_matrix.toarray().tolist() == [[0, 1]]
    assert documents.num_unused_labels == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_values_that_are_not_finite(value):
    features = np.array([[1, 0], [0, 0], [0, value]])
    with pytest.raises(
        ValueError, match=r"`features` of finite .* in row 2 \(from 0\)"
    ):
        BagOfWords(features, np.ones((3, 1)))


def test_other_arguments():
    with pytest.raises(ValueError, match="Received: 2 and 3 rows"):
        BagOfWords(np.ones((2, 1)), np.ones((3, 1)))
    with pytest.raises(ValueError, match="`features` of numbers. Received: <U1"):
        BagOfWords(np.array([["a"]]), np.ones((1, 1)))
