"""Where the words of GPT-2's byte-pair encoding begin, in a graph."""

import functools
import sys
import unicodedata

import numpy as np
import tensorflow as tf

OTHER, LETTER, NUMBER, SPACE = range(4)
# Unicode's White_Space. `str.isspace` has four control characters more.
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
CONTRACTIONS = ("s", "t", "m", "d", "re", "ve", "ll")  # after an apostrophe


def find_word_starts(characters, documents):
    """Which characters begin a word of GPT-2's pattern.

        's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+
        |\\s+(?!\\S)|\\s+

    TensorFlow's regular expressions have no `(?!...)`, so the rules are spelled out,
    which is also many times faster: a word is a run of letters, of numbers, of white
    space or of anything else. One space before it belongs to it; of more white space
    the last character stands alone; and what follows an apostrophe may be a
    contraction. Characters are of the kind that Python's `unicodedata` says.

    Args:
        characters: int32 tensor (characters,). Code points, document after document.
        documents: int tensor (characters,). The document of each, ascending.

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
    # Places in `bounds` that are at most the character.
    place = tf.searchsorted(tf.constant(bounds), characters + 1) - 1
    kind = tf.gather(tf.constant(kinds), place)
    first = documents != _shifted(documents, 1, -1)
    last = documents != _shifted(documents, -1, -1)
    begins_run = first | (kind != _shifted(kind, 1, -1))
    after_space = ~first & (_shifted(characters, 1, -1) == ord(" "))

    space = kind == SPACE
    before_word = ~last & (_shifted(kind, -1, SPACE) != SPACE)
    starts = tf.where(space, begins_run | before_word, begins_run & ~after_space)

    apostrophe = starts & (characters == ord("'"))
    for letters in CONTRACTIONS:
        found, of_next = apostrophe, last
        for i, letter in enumerate(letters, 1):
            found &= ~of_next & (_shifted(characters, -i, -1) == ord(letter))
            of_next = _shifted(last, -i, True)
        inside = _shifted(found, 1, False)
        behind = _shifted(found & ~of_next, len(letters) + 1, False)
        starts = (starts & ~inside) | behind
    return starts


def _shifted(x, by, fill):
    """`x` moved on by some places, back if negative; `fill` comes in."""
    fill = tf.fill([abs(by)], tf.cast(fill, x.dtype))
    if by > 0:
        return tf.concat([fill, x], 0)[: tf.size(x)]
    return tf.concat([x, fill], 0)[-by:]


@functools.cache
def _ranges():
    """First code points of ranges of one kind, int32, and their kinds, int32."""
    kinds = np.zeros(sys.maxunicode + 1, np.int32)
    for i in range(len(kinds)):
        kinds[i] = {"L": LETTER, "N": NUMBER}.get(unicodedata.category(chr(i))[0], 0)
    kinds[[ord(c) for c in SPACES]] = SPACE
    bounds = np.flatnonzero(np.diff(kinds, prepend=-1)).astype(np.int32)
    return bounds, kinds[bounds]
