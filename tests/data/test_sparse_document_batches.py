import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.data.sparse_document_batches import SparseDocumentBatches


def documents(num_documents, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.random((num_documents, 6)) * (rng.random((num_documents, 6)) < 0.4)
    labels = rng.random((num_documents, 5)) < 0.4
    return features.astype("float32"), labels


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 7), st.booleans(), st.integers(0, 3))
def test_every_document_once(num_documents, batch_size, shuffle, epoch):
    features, labels = documents(num_documents)
    shortlist = np.arange(3 * num_documents, dtype="int32").reshape(-1, 3)
    batches = SparseDocumentBatches(
        scipy.sparse.csr_matrix(features),
        scipy.sparse.csr_matrix(labels),
        batch_size,
        shuffle,
        seed=5,
    ).with_shortlist(shortlist)
    seen = []
    for x, y in batches.batches(epoch):
        assert len(y) <= batch_size
        np.testing.assert_array_equal(x["label_ids"], y)
        assert not any(np.shares_memory(array, y) for array in x.values())
        for i in range(len(y)):
            document = x["shortlist"][i, 0] // 3
            seen.append(document)
            row, real = np.zeros(6, "float32"), x["token_ids"][i] >= 0
            row[x["token_ids"][i][real]] = x["token_weights"][i][real]
            np.testing.assert_array_equal(row, features[document])
            assert not x["token_weights"][i][~real].any()
            known = y[i][y[i] >= 0].tolist()
            assert known == np.flatnonzero(labels[document]).tolist()
    assert sorted(seen) == list(range(num_documents))
    assert len(batches) == -(-num_documents // batch_size)


def test_orders_differ_by_epoch_and_are_repeated():
    features, labels = documents(20)
    batches = SparseDocumentBatches(features, labels, 4, shuffle=True, seed=1)
    orders = [
        [batch.tolist() for batch in batches._epoch(epoch)] for epoch in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_dataset_and_restore():
    features, _ = documents(9)
    batches = SparseDocumentBatches(features, None, 4, shuffle=False)
    sums = [x["token_weights"].numpy().sum(axis=1) for x in batches.dataset()]
    restored = batches.restore(np.concatenate(sums))
    np.testing.assert_allclose(restored, features.sum(axis=1), 1e-5)


def test_rows_of_labels_and_shortlists_are_checked():
    features, labels = documents(9)
    with pytest.raises(ValueError, match="9 rows, one per document. Received: 8"):
        SparseDocumentBatches(features, labels[:8], 4, shuffle=False)
