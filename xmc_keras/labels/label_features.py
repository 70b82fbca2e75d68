"""TF-IDF features of documents, and label features aggregated from them (PIFA)."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.list_texts import has_words

# With fewer texts than this, most words occur in one text only, and are kept.
_FEW_TEXTS = 1000
_BLOCKS = 16  # of labels, summed in parallel
# If the documents of all labels have more values than this, counted once per label,
# each label keeps only its largest. Of the benchmark sets this applies to Wiki-500K,
# whose sums have 1.3 * 10^9 values (table of nnz(Z) in https://github.com/amzn/pecos).
# The words that are dropped occur in few of a label's many texts.
_MOST_VALUES = 2**31
_MOST_A_LABEL = 1000
# Largest number of values for which SciPy's indices have 4 bytes; beyond it, 8.
_MOST_IN_INT32 = np.iinfo(np.int32).max


def fit_tfidf(texts, **tfidf):
    """Fits TF-IDF on texts and returns their L2-normalised rows.

    Args:
        texts: list of strings, one text per document; at least one has a word.
        **tfidf: arguments of scikit-learn's `TfidfVectorizer`. Defaults: single words,
            lower case, `token_pattern=r"(?u)\\b\\w+\\b"` (one-letter words count),
            `sublinear_tf=True`, `norm="l2"`, `dtype=np.float32`, and `min_df=2`, or
            1 if there are fewer than 1,000 texts or no two texts share a word.

    Returns:
        `(vectorizer, features)`: the fitted `TfidfVectorizer`, to `transform` other
        texts, and a float32 csr matrix (num_documents, num_features). A text without a
        word of the vocabulary has a zero row.

    Raises:
        BadInput: no text has a word.

    Example:

    >>> vectorizer, features = fit_tfidf(["A text editor", "Editor of images", ""])
    >>> features.shape, vectorizer.transform(["Images"]).nnz
    ((3, 5), 1)
    >>> features.power(2).sum(axis=1).round(3).ravel().tolist()
    [1.0, 1.0, 0.0]
    """
    if isinstance(texts, str):
        raise ValueError(f"Expected `texts` as a list of texts. Received: {texts!r}.")
    texts = list(texts)
    if not has_words(texts):
        raise BadInput(
            "Expected texts with at least one word among them. Received: "
            f"{len(texts)} texts without a letter or digit. Check the texts."
        )
    defaults = {
        "sublinear_tf": True,
        "min_df": 2 if len(texts) >= _FEW_TEXTS else 1,
        "token_pattern": r"(?u)\b\w+\b",
        "dtype": np.float32,
    }
    vectorizer = TfidfVectorizer(**defaults | tfidf)
    try:
        features = vectorizer.fit_transform(texts)
    except ValueError:
        if "min_df" in tfidf:
            raise
        # No two texts share a word, or an argument is wrong: then this raises too.
        features = vectorizer.set_params(min_df=1).fit_transform(texts)
    return vectorizer, scipy.sparse.csr_matrix(features)


def document_features(texts, **tfidf) -> scipy.sparse.csr_matrix:
    """The TF-IDF rows of `fit_tfidf`, without the vectorizer.

    Example:

    >>> document_features(["A text editor", "Editor of images"]).shape
    (2, 5)
    """
    return fit_tfidf(texts, **tfidf)[1]


def label_features(
    features, label_matrix, num_threads: int | None = None
) -> scipy.sparse.csr_matrix:
    """Positive instance feature aggregation (PIFA): one feature row per label.

    The row of a label is the sum of the rows of its documents, scaled to norm 1. Runs
    on all cores and needs little memory besides the result, which takes 8 bytes per
    stored value. If the documents of all labels have more than 2^31 values, counted
    once per label, as on Wiki-500K, each label keeps its 1,000 largest values.

    Args:
        features: sparse matrix (num_documents, num_features), such as the result of
            `document_features()`.
        label_matrix: sparse matrix (num_documents, num_labels), 1 where a document has
            a label, such as the result of `LabelSet.encode()`.
        num_threads: optional int, at least 1. Defaults to the number of processors.
            Does not change the result.

    Returns:
        float32 csr matrix (num_labels, num_features). A label without documents, or
        with zero rows only, has a zero row.

    Example:

    >>> documents = scipy.sparse.csr_matrix([[0.6, 0.8], [0.6, -0.8], [0.0, 1.0]])
    >>> labels = scipy.sparse.csr_matrix([[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    >>> label_features(documents, labels).toarray().tolist()
    [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]

    Reference: You et al., "AttentionXML", NeurIPS 2019, section 3.2; `get_sparse_
    feature` and `build_tree_by_level` of its published code.
    """
    features = scipy.sparse.csr_matrix(features, dtype=np.float32)
    label_matrix = scipy.sparse.csr_matrix(label_matrix, dtype=np.float32)
    if features.shape[0] != label_matrix.shape[0]:
        raise ValueError(
            "Expected `features` and `label_matrix` with one row per document each. "
            f"Received: {features.shape[0]} and {label_matrix.shape[0]} rows."
        )
    sums = label_matrix.T.tocsr()
    # An upper bound: a word in several documents of a label counts several times.
    values = np.diff(features.indptr).astype(np.int64) @ np.diff(label_matrix.indptr)
    most = _MOST_A_LABEL if values > _MOST_VALUES else None
    ends = np.linspace(0, sums.shape[0], _BLOCKS + 1).astype(np.int64)

    def compute_block(i):
        rows = normalize(sums[ends[i] : ends[i + 1]] @ features, copy=False)
        if most is None:
            return rows
        return normalize(_keep_largest(rows, most), copy=False)

    with ThreadPoolExecutor(num_threads or os.cpu_count()) as pool:
        blocks = list(pool.map(compute_block, np.flatnonzero(np.diff(ends))))
    return _stack(blocks)


def _keep_largest(rows, most):
    """The csr matrix of the `most` largest values of each row; the first of ties."""
    kept = np.ones(rows.nnz, bool)
    for row in np.flatnonzero(np.diff(rows.indptr) > most):
        start, end = rows.indptr[row : row + 2]
        order = np.lexsort((rows.indices[start:end], -rows.data[start:end]))
        kept[start + order[most:]] = False
    counts = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    arrays = rows.data[kept], rows.indices[kept], counts
    return scipy.sparse.csr_matrix(arrays, rows.shape)


def _stack(blocks):
    """`scipy.sparse.vstack` that releases each of `blocks` once it is copied."""
    num_rows, num_columns = sum(b.shape[0] for b in blocks), blocks[0].shape[1]
    counts = [np.diff(block.indptr) for block in blocks]
    indptr = np.cumsum(np.concatenate([[0], *counts]), dtype=np.int64)
    index_type = np.int64 if indptr[-1] > _MOST_IN_INT32 else np.int32
    # From the last block on. `np.empty` takes no physical memory until it is written.
    data = np.empty(indptr[-1], np.float32)
    indices = np.empty(indptr[-1], index_type)
    end = len(data)
    while blocks:
        block = blocks.pop()
        start = end - block.nnz
        data[start:end], indices[start:end] = block.data, block.indices
        end = start
    arrays = data, indices, indptr.astype(index_type)
    return scipy.sparse.csr_matrix(arrays, (num_rows, num_columns))
