"""Word splitting of GPT-2's byte-pair encoding, in a graph."""

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf

OTHER, LETTER, NUMBER, SPACE = range(4)
# Unicode's White_Space. `str.isspace` adds four control characters.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
CONTRACTIONS = ("s", "t", "m", "d", "re", "ve", "ll")  # after an apostrophe


def find_word_starts(characters, documents):
    """Marks the characters that begin a word of GPT-2's pattern.

        's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+
        |\\s+(?!\\S)|\\s+

    TensorFlow's regular expressions have no `(?!...)`, so the rules are written as
    tensor operations, which is also many times faster. A word is a run of letters, of
    numbers, of white space or of other characters. The last character of white space
    before a word is split off: a space belongs to the word, any other is a word of its
    own. An apostrophe may begin a contraction. Python's `unicodedata` decides the
    category of a character.

    Args:
        characters: int32 tensor (characters,). Code points of all documents, one
            document after the other.
        documents: int tensor (characters,). Document index of each character,
            ascending.

    Returns:
        bool tensor (characters,).

    Example:

    >>> text = "It's  1st."
    >>> code_points = tf.constant([ord(c) for c in text])
    >>> begins = find_word_starts(code_points, tf.zeros_like(code_points)).numpy()
    >>> "".join("|" * bool(b) + c for b, c in zip(begins, text))
    "|It|'s| | 1|st|."

    Source: `encoder.py` of openai/gpt-2.
    """
    bounds, kinds = _ranges()
    # The last range that begins at or before the character.
    place = tf.searchsorted(tf.constant(bounds), characters + 1) - 1
    kind = tf.gather(tf.constant(kinds), place)
    first = documents != _shift(documents, 1, -1)
    last = documents != _shift(documents, -1, -1)
    begins_run = first | (kind != _shift(kind, 1, -1))
    after_space = ~first & (_shift(characters, 1, -1) == ord(" "))

    space = kind == SPACE
    before_word = ~last & (_shift(kind, -1, SPACE) != SPACE)
    starts = tf.where(space, begins_run | before_word, begins_run & ~after_space)

    apostrophe = starts & (characters == ord("'"))
    for letters in CONTRACTIONS:
        found, ends = apostrophe, last
        for i, letter in enumerate(letters, 1):
            found &= ~ends & (_shift(characters, -i, -1) == ord(letter))
            ends = _shift(last, -i, True)
        inside = _shift(found, 1, False)
        after = _shift(found & ~ends, len(letters) + 1, False)
        starts = (starts & ~inside) | after
    return starts


def _shift(x, by, fill):
    """Shifts `x` right by `by` places, left if negative, and fills with `fill`."""
    fill = tf.fill([abs(by)], tf.cast(fill, x.dtype))
    if by > 0:
        return tf.concat([fill, x], 0)[: tf.size(x)]
    return tf.concat([x, fill], 0)[-by:]


@functools.cache
def _ranges():
    """First code points of all ranges of one kind, and their kinds, int32 (ranges,)."""
    kinds = np.zeros(sys.maxunicode + 1, np.int32)
    for i in range(len(kinds)):
        kinds[i] = {"L": LETTER, "N": NUMBER}.get(unicodedata.category(chr(i))[0], 0)
    kinds[[ord(c) for c in SPACES]] = SPACE
    bounds = np.flatnonzero(np.diff(kinds, prepend=-1)).astype(np.int32)
    return bounds, kinds[bounds]
