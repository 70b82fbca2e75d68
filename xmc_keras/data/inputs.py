"""Documents as batches of what a model reads: words or subwords."""

import scipy.sparse

from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.text.text_tokenizer import TextTokenizer


def tokenize_batches(config, tokenizer, run, texts, label_matrix=None, shuffle=False):
    """Tokenises texts, or finds them in the cache beside the run.

    The cache is shared by the runs of a folder: it is keyed by what it depends on.
    """
    text_tokenizer = TextTokenizer(tokenizer, config.max_tokens)
    cache = run.path.resolve().parent / "cache"
    tokens = TokenCache.open(cache, texts, text_tokenizer)
    return make_batches(config, text_tokenizer, tokens, label_matrix, shuffle)


def make_batches(config, text_tokenizer, tokens, label_matrix=None, shuffle=False):
    """A `TokenCache` as the `DocumentBatches` that a config describes."""
    return DocumentBatches(
        tokens,
        label_matrix,
        config.batch_size if shuffle else config.predict_batch_size,
        pad_id=text_tokenizer.pad_id,
        shuffle=shuffle,
        seed=config.seed,
        pad_multiple=config.pad_multiple,
        fixed_length=config.max_tokens if config.fixed_padding else None,
    )


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
        return tokenize_batches(
            config, model.tokenizer, run, texts, label_matrix, shuffle
        )
    elif features is None:
        features = vectorizer.transform(texts)
    size = config.batch_size if shuffle else config.predict_batch_size
    return SparseDocumentBatches(features, label_matrix, size, shuffle, config.seed)
