"""Documents of a run as batches of tokens."""

from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.text.text_tokenizer import TextTokenizer


def build_batches(config, tokenizer, run, texts, label_matrix=None, shuffle=False):
    """Tokenises texts, or finds them in the cache beside the run.

    The cache is shared by the runs of a folder: it is keyed by what it depends on.
    """
    text_tokenizer = TextTokenizer(tokenizer, config.max_tokens)
    cache = run.path.resolve().parent / "cache"
    tokens = TokenCache.open(cache, texts, text_tokenizer)
    return batches_of(config, text_tokenizer, tokens, label_matrix, shuffle)


def batches_of(config, text_tokenizer, tokens, label_matrix=None, shuffle=False):
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
