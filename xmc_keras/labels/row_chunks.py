"""Some rows of a sparse matrix, multiplied chunk by chunk on several threads."""

import numpy as np
import scipy.sparse

_CHUNK = 2048  # rows, or more, so that there are at most ...
_MAX_CHUNKS = 64
# Values in a chunk, the work of a fraction of a millisecond. Below, Python's part in
# choosing rows costs more than it saves.
_MANY = 200_000


class RowChunks:
    """Some rows of a sparse matrix, for products with dense vectors.

    Where the rows lie next to each other they are used in place, and otherwise copied
    once. Chunks are cut by the number of rows alone and their sums added in order, so
    that a result is the same to the last bit however many threads there are.

    Few rows have few columns that are not zero, and vectors are dense: where most
    columns would be zero, they are left out of the rows and all vectors.

    Args:
        features: float32 csr matrix, (all rows, all columns).
        rows: integer array, ascending, (num_rows,). At least one.
        each: function like `map` that the chunks are worked on with, such as the `map`
            of a `ThreadPoolExecutor`; the products let other threads run. Defaults to
            `map`.

    Attributes:
        num_rows, num_columns: integers, the shape of what is multiplied.

    Example:

    >>> features = scipy.sparse.csr_matrix([[1, 0], [5, 5], [3, 4]], dtype=np.float32)
    >>> chunks = RowChunks(features, np.array([0, 2]))
    >>> chunks.row(1).tolist()
    [3.0, 4.0]
    >>> chunks.products(np.array([2, 1], np.float32)).tolist()
    [2.0, 10.0]
    >>> chunks.total(np.array([1, -1], np.float32)).tolist()
    [-2.0, -4.0]
    """

    def __init__(self, features, rows, each=map):
        features = _with_own_columns(_rows(features, rows))
        self.num_rows, self.num_columns = features.shape
        self._each = each
        num_chunks = min(_MAX_CHUNKS, -(-len(rows) // _CHUNK))
        pieces = np.array_split(np.arange(len(rows)), num_chunks)
        self._begins = np.cumsum([0, *map(len, pieces)])
        self._chunks = [_rows(features, piece) for piece in pieces]
        self._transposed = [_transposed(chunk) for chunk in self._chunks]

    def row(self, i):
        """Returns row `i` of these, float32 (num_columns,)."""
        number = np.searchsorted(self._begins, i, side="right") - 1
        chunk, i = self._chunks[number], i - self._begins[number]
        row = slice(chunk.indptr[i], chunk.indptr[i + 1])
        dense = np.bincount(chunk.indices[row], chunk.data[row], self.num_columns)
        return dense.astype(np.float32)

    def products(self, vector):
        """Returns the product of each row and a vector, float32 (num_rows,).

        Args:
            vector: float32 array, (num_columns,).
        """
        products = self._each(lambda chunk: chunk @ vector, self._chunks)
        return np.concatenate(list(products))

    def total(self, weights):
        """Returns the weighted sum of the rows, float32 (num_columns,).

        Args:
            weights: float32 array, (num_rows,). Where most are zero, it is faster.
        """
        weights = np.split(weights, self._begins[1:-1])
        first, *others = self._each(_total, self._chunks, self._transposed, weights)
        for other in others:
            first += other
        return first


def _total(chunk, transposed, weights):
    rows = np.flatnonzero(weights)
    # A copy of the rows that count is worth its time where these are few.
    if chunk.nnz > _MANY and 4 * len(rows) < len(weights):
        return chunk[rows].T @ weights[rows]
    return transposed @ weights


def _rows(features, rows):
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 > len(rows):
        return features[rows]
    indptr = features.indptr[first : last + 2]
    part = slice(indptr[0], indptr[-1])
    arrays = features.data[part], features.indices[part], indptr - indptr[0]
    return _in_place(scipy.sparse.csr_matrix, arrays, (len(rows), features.shape[1]))


def _transposed(rows):
    arrays = rows.data, rows.indices, rows.indptr
    return _in_place(scipy.sparse.csc_matrix, arrays, rows.shape[::-1])


def _in_place(kind, arrays, shape):
    """A matrix of these arrays; SciPy's constructors copy parts of much larger ones."""
    matrix = kind(shape, dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = arrays
    return matrix


def _with_own_columns(features):
    if features.nnz > 4 * features.shape[1]:
        return features
    used = np.zeros(features.shape[1], bool)
    used[features.indices] = True
    columns = np.flatnonzero(used)
    new_column = np.empty(len(used), features.indices.dtype)
    new_column[columns] = np.arange(len(columns))
    arrays = features.data, new_column[features.indices], features.indptr
    # Rows of zeros keep one column.
    return scipy.sparse.csr_matrix(arrays, (features.shape[0], max(1, len(columns))))
