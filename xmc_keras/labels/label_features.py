"""Label features: what the documents of a label say, as one sparse row a label."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from xmc_keras.bad_input import BadInput

# Below this many texts, words that occur in one text only are most of what there is.
_FEW_TEXTS = 1000
# Labels are summed in so many blocks, in parallel.
_BLOCKS = 16
# Where the documents of labels have more values than this together, each label keeps
# its largest only. Of the benchmark sets that is Wiki-500K, whose sums have 1.3 * 10^9
# values (https://github.com/amzn/pecos, its table of nnz(Z)). What is left out are
# words of few of the many texts of a label.
_MOST_VALUES = 2**31
_MOST_A_LABEL = 1000
# SciPy's indices have 4 bytes up to so many values, and 8 above.
_MOST_IN_INT32 = np.iinfo(np.int32).max


def fit_tfidf(texts, **tfidf):
    """Learns TF-IDF from texts and turns them into rows of norm 1.

    Args:
        texts: list of strings, one text a document; at least one of them with a word.
        **tfidf: options of scikit-learn's `TfidfVectorizer`. Defaults: single words,
            lower case, `token_pattern=r"(?u)\\b\\w+\\b"` (words of one letter count),
            `sublinear_tf=True`, `norm="l2"`, `dtype=np.float32`, and `min_df=2`, or
            1 for fewer than 1,000 texts or where no two texts share a word.

    Returns:
        `(vectorizer, features)`: the fitted `TfidfVectorizer`, for the `transform` of
        other texts, and float32, shape `(num_documents, num_features)`. The row of a
        text without a word that is kept is zero.

    Raises:
        BadInput: there is no word in any text.

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
    if not any(character.isalnum() for text in texts for character in text):
        raise BadInput(
            "Expected texts with at least one word among them. Received: "
            f"{len(texts)} texts without a letter or digit. Check the file of texts."
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
        # No two texts share a word, or an option is wrong: then this raises again.
        features = vectorizer.set_params(min_df=1).fit_transform(texts)
    return vectorizer, scipy.sparse.csr_matrix(features)


def document_features(texts, **tfidf) -> scipy.sparse.csr_matrix:
    """The TF-IDF rows of texts alone: see `fit_tfidf`.

    Example:

    >>> document_features(["A text editor", "Editor of images"]).shape
    (2, 5)
    """
    return fit_tfidf(texts, **tfidf)[1]


def label_features(
    features, label_matrix, num_threads: int | None = None
) -> scipy.sparse.csr_matrix:
    """Sums the rows of each label's documents and scales the sum to norm 1.

    Known as PIFA, positive instance feature aggregation. Works on all cores; needs
    little memory besides the result, which has 8 bytes a feature that a label has.
    Where the documents of the labels have more than 2^31 values together, as on
    Wiki-500K, each label keeps its 1,000 largest.

    Args:
        features: sparse matrix, shape `(num_documents, num_features)`, as from
            `document_features()`.
        label_matrix: sparse matrix, shape `(num_documents, num_labels)`, ones where
            a label applies, as from `LabelSet.encode()`.
        num_threads: optional integer, at least 1. Defaults to the number of
            processors. Does not change the result.

    Returns:
        float32, shape `(num_labels, num_features)`. A label without documents, or
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
            "Expected `features` and `label_matrix` with one row a document each. "
            f"Received: {features.shape[0]} and {label_matrix.shape[0]} rows."
        )
    sums = label_matrix.T.tocsr()
    # Words that documents of a label share are counted for each: no sum has more.
    values = np.diff(features.indptr).astype(np.int64) @ np.diff(label_matrix.indptr)
    most = _MOST_A_LABEL if values > _MOST_VALUES else None
    ends = np.linspace(0, sums.shape[0], _BLOCKS + 1).astype(np.int64)

    def block(i):
        rows = normalize(sums[ends[i] : ends[i + 1]] @ features, copy=False)
        return rows if most is None else normalize(_largest(rows, most), copy=False)

    with ThreadPoolExecutor(num_threads or os.cpu_count()) as pool:
        blocks = list(pool.map(block, np.flatnonzero(np.diff(ends))))
    return _one_below_the_other(blocks)


def _largest(rows, most):
    """The csr matrix of the `most` largest values of each row, the first of equal."""
    kept = np.ones(rows.nnz, bool)
    for row in np.flatnonzero(np.diff(rows.indptr) > most):
        start, end = rows.indptr[row : row + 2]
        order = np.lexsort((rows.indices[start:end], -rows.data[start:end]))
        kept[start + order[most:]] = False
    counts = np.concatenate([[0], np.cumsum(kept)])[rows.indptr]
    arrays = rows.data[kept], rows.indices[kept], counts
    return scipy.sparse.csr_matrix(arrays, rows.shape)


def _one_below_the_other(blocks):
    """`scipy.sparse.vstack`, but empties `blocks` as the result grows."""
    num_rows, num_columns = sum(b.shape[0] for b in blocks), blocks[0].shape[1]
    counts = [np.diff(block.indptr) for block in blocks]
    indptr = np.cumsum(np.concatenate([[0], *counts]), dtype=np.int64)
    index_type = np.int64 if indptr[-1] > _MOST_IN_INT32 else np.int32
    # Memory that nobody has written to yet is not in use.
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
