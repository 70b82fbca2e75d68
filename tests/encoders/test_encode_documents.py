import gc
import weakref

import keras
import numpy as np
import scipy.sparse

from xmc_keras.data.document_batches import pad_rows
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.encoders.encode_documents import _graphs, encode_documents
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder


def test_features_are_in_the_order_of_the_documents():
    rng = np.random.default_rng(0)
    features = rng.random((11, 7)) * (rng.random((11, 7)) < 0.5)
    encoder = SparseTextEncoder(7, dim=3, residual=False)
    batches = SparseDocumentBatches(
        scipy.sparse.csr_matrix(features), np.ones((11, 2)), 4, shuffle=False
    )
    found = encode_documents(encoder, batches)
    expected = np.maximum(features @ encoder.token_embeddings.numpy(), 0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_one_graph_for_all_calls_that_goes_with_the_encoder():
    encoder = SparseTextEncoder(num_features=9, dim=4)
    rng = np.random.default_rng(0)
    for size in (1, 4, 9):
        rows = rng.random((size, 9)) * (rng.random((size, 9)) < 0.5)
        for _ in range(4):
            # The weights may change in between.
            for weight in encoder.trainable_weights:
                weight.assign(keras.random.normal(weight.shape))
            batches = SparseDocumentBatches(rows, None, 3, shuffle=False)
            found = encode_documents(encoder, batches)
            columns, values = pad_rows(scipy.sparse.csr_matrix(rows, dtype="float32"))
            x = {"token_ids": columns, "token_weights": values}
            np.testing.assert_allclose(found, encoder(x).numpy(), 1e-4, 1e-5)
    assert _graphs[encoder].experimental_get_tracing_count() <= 3
    gone = weakref.ref(encoder)
    del encoder, weight
    gc.collect()
    assert gone() is None
