import numpy as np
import scipy.sparse

from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.encoders.encode_documents import encode_documents
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
