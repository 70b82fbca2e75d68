"""Products of some rows of a sparse matrix with dense vectors, on several threads."""

import numpy as np
import scipy.sparse

_CHUNK = 2048  # rows in a chunk; more if there would be more than _MAX_CHUNKS
_MAX_CHUNKS = 64
# A chunk with fewer values than this takes a fraction of a millisecond: selecting its
# rows in Python costs more than it saves.
_MANY = 200_000


class RowChunks:
    """Some rows of a sparse matrix, for products with dense vectors.

    If the rows are adjacent they are used in place, otherwise they are copied once. The
    chunks depend only on the number of rows, and their sums are added in order, so a
    result is the same to the last bit for any number of threads.

    A few rows have few nonzero columns, and the vectors are dense: if most columns
    would be zero, these columns are left out of the rows and of all vectors.

    Args:
        features: float32 csr matrix (all rows, all columns).
        rows: integer array (num_rows,), ascending, at least one.
        each: function like `map` that processes the chunks, such as the `map` of a
            `ThreadPoolExecutor`; the products release the GIL. Defaults to `map`.

    Attributes:
        num_rows, num_columns: int. Shape of the selected rows.

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
        features = _drop_empty_columns(_select_rows(features, rows))
        self.num_rows, self.num_columns = features.shape
        self._each = each
        num_chunks = min(_MAX_CHUNKS, -(-len(rows) // _CHUNK))
        pieces = np.array_split(np.arange(len(rows)), num_chunks)
        self._starts = np.cumsum([0, *map(len, pieces)])
        self._chunks = [_select_rows(features, piece) for piece in pieces]
        self._transposed = [_transpose(chunk) for chunk in self._chunks]

    def row(self, i):
        """Returns the `i`-th selected row, dense float32 (num_columns,)."""
        number = np.searchsorted(self._starts, i, side="right") - 1
        chunk, i = self._chunks[number], i - self._starts[number]
        row = slice(chunk.indptr[i], chunk.indptr[i + 1])
        dense = np.bincount(chunk.indices[row], chunk.data[row], self.num_columns)
        return dense.astype(np.float32)

    def products(self, vector):
        """Returns the product of each row with a vector, float32 (num_rows,).

        Args:
            vector: float32 array (num_columns,).
        """
        products = self._each(lambda chunk: chunk @ vector, self._chunks)
        return np.concatenate(list(products))

    def total(self, weights):
        """Returns the weighted sum of the rows, float32 (num_columns,).

        Args:
            weights: float32 array (num_rows,). Faster if most are zero.
        """
        weights = np.split(weights, self._starts[1:-1])
        first, *others = self._each(_sum_rows, self._chunks, self._transposed, weights)
        for other in others:
            first += other
        return first


def _sum_rows(chunk, transposed, weights):
    rows = np.flatnonzero(weights)
    # Copying the rows with nonzero weights pays off if they are few.
    if chunk.nnz > _MANY and 4 * len(rows) < len(weights):
        return chunk[rows].T @ weights[rows]
    return transposed @ weights


def _select_rows(features, rows):
    """Selects rows of a csr matrix, without a copy if they are adjacent."""
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 > len(rows):
        return features[rows]
    indptr = features.indptr[first : last + 2]
    part = slice(indptr[0], indptr[-1])
    arrays = features.data[part], features.indices[part], indptr - indptr[0]
    return _wrap(scipy.sparse.csr_matrix, arrays, (len(rows), features.shape[1]))


def _transpose(rows):
    arrays = rows.data, rows.indices, rows.indptr
    return _wrap(scipy.sparse.csc_matrix, arrays, rows.shape[::-1])


def _wrap(matrix_class, arrays, shape):
    """A matrix of these arrays, without the copy that SciPy's constructors make.

    They copy arrays that are slices of much larger ones.
    """
    matrix = matrix_class(shape, dtype=np.float32)
    matrix.data, matrix.indices, matrix.indptr = arrays
    return matrix


def _drop_empty_columns(features):
    """Leaves out empty columns, unless there are over 4 values per column."""
    if features.nnz > 4 * features.shape[1]:
        return features
    used = np.zeros(features.shape[1], bool)
    used[features.indices] = True
    columns = np.flatnonzero(used)
    new_column = np.empty(len(used), features.indices.dtype)
    new_column[columns] = np.arange(len(columns))
    arrays = features.data, new_column[features.indices], features.indptr
    # At least one column, even if all rows are zero.
    return scipy.sparse.csr_matrix(arrays, (features.shape[0], max(1, len(columns))))
