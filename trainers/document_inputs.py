"""Documents of a run as batches of what its model reads: words or subwords."""

import scipy.sparse
from build_batches import build_batches

from xmc_keras.data.sparse_document_batches import SparseDocumentBatches


def build_inputs(config, run, model, texts, label_matrix=None, features=None):
    """Batches of texts for a `LightXML` or `LightDXML`.

    Args:
        config: a `Config`.
        run: a `RunFolder`.
        model: a model with a `tokenizer` or a `vectorizer`, or one that reads features.
        texts: list of strings; csr matrix (documents, features) for the last.
        label_matrix: optional csr matrix (documents, labels).
        features: optional csr matrix (documents, features): the texts are those of
            training, which is shuffled, and this is what their vectorizer made.
    """
    shuffle = features is not None
    vectorizer = getattr(model, "vectorizer", None)
    if features is None and scipy.sparse.issparse(texts):
        features = texts
    elif vectorizer is None and not scipy.sparse.issparse(texts):
        return build_batches(config, model.tokenizer, run, texts, label_matrix, shuffle)
    elif features is None:
        features = vectorizer.transform(texts)
    size = config.batch_size if shuffle else config.predict_batch_size
    return SparseDocumentBatches(features, label_matrix, size, shuffle, config.seed)
