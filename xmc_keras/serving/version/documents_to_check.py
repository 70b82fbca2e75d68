"""Documents to compare an exported model with its run."""

import logging

import numpy as np
import scipy.sparse
from sklearn.preprocessing import normalize

from xmc_keras.data.documents import read_documents
from xmc_keras.data.features.read_features import read_features
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

LONG_TEXT = " ".join(
    ["A long document, truncated to the model's maximum length."] * 100
)
FEATURES = 64  # of a random document


def reads_features(model):
    """Whether a model was trained on features instead of texts."""
    return model.tokenizer is None and getattr(model, "vectorizer", None) is None


def choose_documents(run, model, most, data=None):
    """Chooses the first documents of a run's test part, as its model reads them.

    Args:
        run: a `RunFolder`.
        model: the model of the run.
        most: int. Maximum number of documents.
        data: optional string or path. The folder of the data, if it was moved.

    Returns:
        List of strings, or a csr matrix (documents, features) with rows of norm 1.
        If the test part is missing, label names serve as texts, or features are random.
    """
    if not reads_features(model):
        try:
            return read_documents(
                run.data_folder(data), "test", skip_bad_lines=True
            ).texts[:most]
        except BadInput as error:
            logger.warning("Checking with label names as texts. %s", error)
            return run.label_set().names[:most]
    width = model.encoder.num_features
    try:
        features = read_features(run.data_folder(data), "test", width).features[:most]
    except BadInput as error:
        logger.warning("Checking with random features. %s", error)
        rng = np.random.default_rng(0)
        columns = rng.integers(0, width, (most, FEATURES))
        arrays = rng.random(columns.size), columns.ravel()
        starts = np.arange(0, columns.size + 1, FEATURES)
        features = scipy.sparse.csr_matrix((*arrays, starts), (most, width))
        features.sum_duplicates()
    return normalize(features.astype(np.float32))


def predict_names(model, documents, k):
    """Predicts a list of `(label, score)` for each document."""
    if not reads_features(model):
        return model.recommend(documents, k)
    batches = SparseDocumentBatches(documents, None, 64, shuffle=False)
    found = model.predict(batches.dataset(), verbose=0)
    names = model.label_set.names
    return [
        [(names[i], float(score)) for i, score in zip(row[:k], scores) if i >= 0]
        for row, scores in zip(
            batches.restore(found["predicted_ids"]), batches.restore(found["scores"])
        )
    ]
