"""Documents of a run as batches of what its model reads: words or subwords."""

from build_batches import build_batches

from xmc_keras.sparse_document_batches import SparseDocumentBatches


def build_inputs(config, run, model, texts, label_matrix=None, features=None):
    """Batches of texts for a `LightXML` or `LightDXML`.

    Args:
        config: a `Config`.
        run: a `RunFolder`.
        model: a model with a `tokenizer` or a `vectorizer`.
        texts: list of strings.
        label_matrix: optional csr matrix (documents, labels).
        features: optional csr matrix (documents, features): the texts are those of
            training, which is shuffled, and this is what their vectorizer made.
    """
    shuffle = features is not None
    vectorizer = getattr(model, "vectorizer", None)
    if vectorizer is None:
        return build_batches(config, model.tokenizer, run, texts, label_matrix, shuffle)
    if features is None:
        features = vectorizer.transform(texts)
    size = config.batch_size if shuffle else config.predict_batch_size
    return SparseDocumentBatches(features, label_matrix, size, shuffle, config.seed)
