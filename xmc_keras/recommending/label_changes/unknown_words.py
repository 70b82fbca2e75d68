"""Texts without a word that a model knows."""

import numpy as np

from xmc_keras.data.token_cache import TokenCache
from xmc_keras.text.list_texts import has_words
from xmc_keras.text.text_tokenizer import TextTokenizer


def find_wordless(model, texts):
    """Which texts have no word that the model knows, a bool array (texts,).

    To a model with a vocabulary of words these are texts of other words; to a
    transformer, of unknown characters, or of punctuation alone. A `Hybrid` needs a word
    for either of its members.

    Args:
        model: a model that reads texts.
        texts: list of strings.

    Example:

    >>> import types
    >>> from xmc_keras.text.word_vectorizer import WordVectorizer
    >>> model = types.SimpleNamespace(vectorizer=WordVectorizer.fit(["sea", "sea sky"]))
    >>> find_wordless(model, ["sea", "qwerty"]).tolist()
    [False, True]
    """
    wordless = np.ones(len(texts), bool)
    if getattr(model, "vectorizer", None) is not None:
        wordless &= np.diff(model.vectorizer.transform(texts).indptr) == 0
    if getattr(model, "tokenizer", None) is not None:
        named = np.array([has_words([text]) for text in texts])
        token = getattr(model.tokenizer, "unknown_token", None)
        if token is not None:
            tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)
            tokens = TokenCache(*tokenizer(texts))
            unknown = model.tokenizer.token_to_id(token)
            special = unknown, tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id
            words = np.concatenate(
                [[0], np.cumsum(~np.isin(tokens.token_ids, special))]
            )
            named &= np.diff(words[tokens.offsets]) > 0
        wordless &= ~named
    return wordless
