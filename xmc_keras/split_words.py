"""Texts to words, by the same TensorFlow ops in training and in a SavedModel."""

import tensorflow as tf
import tensorflow_text as tf_text

# Goes into the digest of whatever was made of words: a change here changes it.
RULE_VERSION = 1

# Written without spaces between words: each character is a word, and bigrams are what
# most of their words are.
ALONE = r"([\p{Han}\p{Hiragana}\p{Katakana}])"
NO_WORD = r"[^\p{L}\p{M}\p{N}_]+"


def split_words(texts):
    """Splits texts into words.

    The rule: invalid UTF-8 becomes U+FFFD; Unicode's NFKC_Casefold, which makes one of
    what differs by case, width, ligature or the way an accent is written, and drops
    invisible characters such as the soft hyphen; Chinese characters and Japanese
    syllables stand alone; a word is a longest run of letters, marks, numbers and
    underscores.

    All of it is ops of a graph, and training runs these very ops, rather than a rule
    written twice that would have to agree on 1.1 million characters. They follow no
    locale. What may differ between two TensorFlow versions are characters younger than
    the Unicode version they hold: of all code points between two letters, TensorFlow
    2.12 and 2.20 split apart only some that came with Unicode 13 to 16.

    Args:
        texts: string tensor, (documents,), any bytes; or a list of strings, in which
            lone surrogates count as U+FFFD.

    Returns:
        `tf.RaggedTensor` of strings in UTF-8, (documents, None).

    Example:

    >>> [w.decode() for w in split_words(["Ｓtraße-Café\\0x_2, 東京!"]).values.numpy()]
    ['strasse', 'café', 'x_2', '東', '京']
    >>> split_words(["", "..."]).row_lengths().numpy().tolist()
    [0, 0]
    """
    texts = string_tensor(texts)
    with tf.device("CPU:0"):  # where strings are
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf_text.case_fold_utf8(texts)
        texts = tf.strings.regex_replace(texts, ALONE, r" \1 ")
        texts = tf.strings.regex_replace(texts, NO_WORD, " ")
        return tf.strings.split(texts)  # at ASCII white space, all that is left


def string_tensor(texts):
    """A list of strings as a string tensor (texts,); a tensor as it is."""
    if tf.is_tensor(texts):
        return texts
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"Expected a list of strings. Received: {texts!r:.100}")
    # A lone surrogate becomes invalid UTF-8 here and U+FFFD in `split_words`.
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return tf.constant(encoded, tf.string, [len(encoded)])
