"""Texts with a sparse label matrix, as in PECOS and scikit-learn."""

import os

from xmc_keras.data.features.bag_of_words import canonicalize
from xmc_keras.data.features.feature_file import read_feature_file
from xmc_keras.data.features.read_features import read_npz
from xmc_keras.data.formats.document import Document, TextRows, is_usable
from xmc_keras.data.formats.label_list import make_unique
from xmc_keras.files.bad_input import BadInput


class MatrixDocuments:
    """Documents whose labels are the rows of a sparse matrix.

    Args:
        texts: list of strings, or the path of a file with one text per line.
        label_matrix: sparse matrix or array (documents, labels), nonzero where a
            document has a label, such as the result of `MultiLabelBinarizer`; or a
            path: `.npz` written by `scipy.sparse.save_npz`, or `trn_X_Y.txt` of the
            Extreme Classification Repository, with the first line `documents labels`.
        names: optional sequence of strings. The label names; the label id is appended
            to repeated names. Defaults to the label ids.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the text file that has been read.

    Raises:
        BadInput: a file is missing or damaged, the numbers of texts and rows differ,
            there are more columns than names, or, without `skip`, a document cannot be
            used.
        ValueError: a matrix in memory has values that are not finite.

    Example:

    >>> documents = MatrixDocuments(["red rose"], [[0, 1]], ["tree", "plant"])
    >>> [(document.text, document.labels) for document in documents]
    [('red rose', ['plant'])]
    """

    def __init__(self, texts, label_matrix, names=None, skip=None):
        self.skip, self.path, self.matrix_path = skip, None, None
        self._texts, self._rows = texts, None
        if _is_path(texts):
            self.path, self._rows = texts, TextRows(texts, skip)
        if _is_path(label_matrix):
            self.matrix_path = label_matrix
            label_matrix = read_label_matrix(label_matrix)
        # A copy, so that the caller's matrix does not change.
        self.matrix = canonicalize(label_matrix, "label_matrix").copy()
        self.matrix.eliminate_zeros()
        width = self.matrix.shape[1]
        if names is not None and width > len(names):
            raise BadInput(
                f"Expected a name for each of {width} labels, the columns of the "
                f"matrix. Received: {len(names)}. Use the label list of this data set.",
                self.matrix_path,
            )
        names = map(str, range(width)) if names is None else make_unique(names)
        self.names = list(names)

    @property
    def share(self):
        return 0.0 if self._rows is None else self._rows.share

    def __iter__(self):
        indptr, indices = self.matrix.indptr, self.matrix.indices
        num_rows, line = self.matrix.shape[0], 0
        rows = enumerate(self._texts, 1) if self._rows is None else self._rows
        for line, text in rows:
            if line > num_rows:
                break
            ids = indices[indptr[line - 1] : indptr[line]].tolist()
            labels = [self.names[number] for number in ids]
            if is_usable(text, labels, self.skip, self.path, line):
                yield Document(text, labels, line)
        num_texts = line if self._rows is None else self._rows.line
        if num_texts != num_rows:
            most = "more" if num_texts > num_rows else num_texts
            raise BadInput(
                f"Expected {num_rows} texts, the number of rows of the label matrix "
                f"({self.matrix_path or 'in memory'}). Received: {most}. Use texts and "
                "labels of the same part.",
                self.path,
                num_texts,
            )


def read_label_matrix(path):
    """Reads a label matrix: `.npz` of SciPy, or a file of `id:1` lines with a header.

    Args:
        path: string or path.

    Returns:
        float32 csr matrix (documents, labels).

    Raises:
        BadInput: the file has another format. The message names the path and, if there
            is one, the line.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "trn_X_Y.txt")
    ...     _ = path.write_text("2 3\\n1:1 2:1\\n0:1\\n")
    ...     read_label_matrix(path).toarray().tolist()
    [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if os.fspath(path).endswith(".npz"):
        return read_npz(path)
    return read_feature_file(path, header=2)[0]


def _is_path(value):
    return isinstance(value, str | os.PathLike)
