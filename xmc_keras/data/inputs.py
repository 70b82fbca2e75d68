"""Building batches of model inputs from documents: words or subword tokens."""

import logging
import math
import weakref

import scipy.sparse
import tensorflow as tf

from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.progress import phase
from xmc_keras.text.text_tokenizer import TextTokenizer

logger = logging.getLogger(__name__)

BATCH_SIZE = 64  # documents per prediction step, without a config

# Tokens times parameters of the encoder that train in the time of compiling one batch
# length: the encoder's kernels, or the whole step with `jit_compile`. See "Starting up"
# in docs/results/speed.md.
KERNELS, WHOLE_STEP = 8e10, 9.5e11

# The tokenizer of each model, because making one takes seconds.
_tokenizers = weakref.WeakKeyDictionary()


def build_inputs(
    model, texts, label_matrix=None, config=None, cache=None, batch_size=None
):
    """Builds batches for prediction and evaluation, without shuffling.

    Args:
        model: a model with a `tokenizer`, a `vectorizer`, or, as a `Hybrid`, both; or a
            `LightDXML` that reads features.
        texts: list of strings, or a csr matrix (documents, features).
        label_matrix: optional csr matrix (documents, labels), for Keras's `evaluate`.
        config: optional `Config` with batch size and padding.
        cache: optional folder for the token ids, see `TokenCache`.
        batch_size: optional int. Defaults to `predict_batch_size` of the config, or
            to `64` without one.

    Returns:
        `DocumentBatches` or `SparseDocumentBatches`.
    """
    if batch_size is None:
        batch_size = BATCH_SIZE if config is None else config.predict_batch_size
    vectorizer, words = getattr(model, "vectorizer", None), None
    if vectorizer is not None and not scipy.sparse.issparse(texts):
        words = vectorizer.transform(texts)
    if getattr(model, "tokenizer", None) is None:
        rows = texts if words is None else words
        return SparseDocumentBatches(rows, label_matrix, batch_size, shuffle=False)
    tokenizer = _tokenizers.get(model)
    if tokenizer is None or tokenizer.max_tokens != model.max_tokens:
        tokenizer = _tokenizers[model] = TextTokenizer(
            model.tokenizer, model.max_tokens
        )
    tokens = tokenize(tokenizer, texts, cache)
    batches = make_batches(tokens, tokenizer.pad_id, label_matrix, batch_size, config)
    return batches if words is None else batches.with_words(words)


def build_training_inputs(config, model, texts, label_matrix, features, cache=None):
    """Builds shuffled batches of training documents.

    Args:
        config: a `Config`.
        model: see `build_inputs`.
        texts: list of strings. Used by a model with a tokenizer.
        label_matrix: csr matrix (documents, labels).
        features: csr matrix (documents, features), or None for a model with a
            tokenizer.
        cache: see `build_inputs`.
    """
    if features is not None and getattr(model, "tokenizer", None) is None:
        return SparseDocumentBatches(
            features, label_matrix, config.batch_size, shuffle=True, seed=config.seed
        )
    tokenizer = TextTokenizer(model.tokenizer, config.max_tokens)
    tokens = tokenize(tokenizer, texts, cache)
    warn_of_cut_texts(tokens.lengths, config.max_tokens)
    batches = make_batches(
        tokens, tokenizer.pad_id, label_matrix, config.batch_size, config, shuffle=True
    )
    parameters = sum(math.prod(weight.shape) for weight in model.encoder.weights)
    compiling = KERNELS
    if config.jit_compile is True or (
        config.jit_compile == "auto" and tf.config.list_physical_devices("GPU")
    ):
        compiling = WHOLE_STEP
    return batches.with_few_lengths(config.epochs, compiling / parameters)


def tokenize(tokenizer, texts, cache=None):
    """Tokenizes texts to a `TokenCache`, in the folder `cache` or in memory."""
    with phase(f"Tokenising {len(texts)} texts"):
        if cache is None:
            return TokenCache(*tokenizer(texts))
        return TokenCache.open(cache, texts, tokenizer)


def warn_of_cut_texts(lengths, max_tokens):
    """Logs a warning if most texts have as many tokens as fit, and so are cut.

    Args:
        lengths: int array (documents,). Number of tokens of each document, cut.
        max_tokens: int.
    """
    cut = int((lengths >= max_tokens).sum())
    if 2 * cut > len(lengths):
        logger.warning(
            "%s of %s documents reach max_tokens, %d, and the model does not see the "
            "rest: set a larger max_tokens, as far as the encoder and memory let it",
            *(f"{cut:,}", f"{len(lengths):,}", max_tokens),
        )


def make_batches(tokens, pad_id, label_matrix, batch_size, config=None, shuffle=False):
    """Makes `DocumentBatches` of tokens, with the seed and padding of a config."""
    settings = {}
    if config is not None:
        settings = {"seed": config.seed, "pad_multiple": config.pad_multiple}
        if config.fixed_padding:
            settings["fixed_length"] = config.max_tokens
    return DocumentBatches(
        tokens, label_matrix, batch_size, pad_id=pad_id, shuffle=shuffle, **settings
    )
