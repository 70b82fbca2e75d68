import numpy as np
import pytest
import scipy.sparse

from xmc_keras.labels.label_centroids import compute_centroids


def test_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 3)).astype("float32")
    labels = rng.random((20, 9)) < 0.2
    labels[:, 4] = False
    labels = scipy.sparse.csr_matrix(labels, dtype=np.float32)
    found = compute_centroids(features, labels)
    assert found.shape == (9, 3) and found.dtype == np.float32
    for label in range(9):
        rows = [features[i] for i in range(20) if labels[i, label]]
        expected = np.mean(rows, axis=0) if rows else np.zeros(3)
        np.testing.assert_allclose(found[label], expected, 1e-5, 1e-6)


def test_errors():
    with pytest.raises(ValueError, match="Expected.*Received: 3 and 2 rows"):
        compute_centroids(np.zeros((3, 1)), np.zeros((2, 4)))
