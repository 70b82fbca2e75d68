"""Parallel processing of many texts, in parts."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from xmc_keras.text.list_texts import list_texts

# Size of a part in characters; each text counts as `PER_TEXT` more than it has.
MOST_CHARACTERS, PER_TEXT = 1_000_000, 100


def map_texts(compute, texts):
    """Calls a function on consecutive parts of a list of texts, on all cores.

    Args:
        compute: function of a list of strings. Called by several threads at once, so it
            should release the GIL while it works, as TensorFlow and NumPy do.
        texts: list of strings.

    Returns:
        list of the results of `compute`, in the order of the texts.

    Example:

    >>> map_texts(len, ["a"] * 25_000)
    [9900, 9901, 5199]
    """
    texts = list_texts(texts)
    sizes = np.cumsum([len(text) + PER_TEXT for text in texts], dtype=np.int64)
    borders = np.flatnonzero(np.diff(sizes // MOST_CHARACTERS)) + 1
    starts = [0, *borders.tolist(), len(texts)] if len(texts) else []
    parts = [texts[start:end] for start, end in zip(starts, starts[1:])]
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        return list(pool.map(compute, parts))
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C no new parts are begun
