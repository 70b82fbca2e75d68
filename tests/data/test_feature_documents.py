import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xmc_keras.data.documents import documents_digest
from xmc_keras.data.feature_documents import read_feature_documents
from xmc_keras.files.bad_input import BadInput

LINES = ["4 5 9", "8,3 0:3 4:4", "3 2:0", " 1:7", "0 3:-2"]


def read(folder, lines=LINES, part="train", **options):
    (folder / f"{part}.txt").write_text("\n".join(lines) + "\n")
    return read_feature_documents(folder, part, **options)


def test_what_a_file_becomes(tmp_path):
    documents = read(tmp_path, skip_bad_lines=True)
    assert len(documents) == 3 and documents.skipped == 1
    assert documents.num_features == 5
    rows = [[0.6, 0, 0, 0, 0.8], [0, 0, 0, 0, 0], [0, 0, 0, -1, 0]]
    np.testing.assert_allclose(documents.features.toarray(), rows, atol=1e-6)
    assert np.diff(documents.features.indptr).tolist() == [2, 0, 1]
    assert documents.labels == [["3", "8"], ["3"], ["0"]]
    assert documents.lines == [2, 3, 5]
    assert documents.texts_path == documents.labels_path == str(tmp_path / "train.txt")
    some = documents.subset([2, 0])
    assert some.labels == [["0"], ["3", "8"]] and some.lines == [5, 2]
    np.testing.assert_allclose(some.texts.toarray(), [rows[2], rows[0]], atol=1e-6)


def test_a_document_without_a_label(tmp_path):
    with pytest.raises(BadInput, match=r"train.txt:4: .* 1 of 4 documents without"):
        read(tmp_path)
    with pytest.raises(BadInput, match=r"train.txt:2: .* 1 of 1 documents without"):
        read(tmp_path, ["1 5 9", " 1:7"], skip_bad_lines=True)


def test_two_files_and_files_without_lines(tmp_path):
    (tmp_path / "tst_X_Xf.txt").write_text("2 3\n0:1\n1:1\n")
    (tmp_path / "tst_X_Y.txt").write_text("2 4\n1:1\n\n")
    with pytest.raises(BadInput, match=r"tst_X_Y.txt:3: Expected a label"):
        read_feature_documents(tmp_path, "test")
    for name, matrix in (("X", [[1.0, 0], [0, 2]]), ("Y", [[0, 0], [1, 0]])):
        path = tmp_path / f"{name}.trn.npz"
        scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(matrix))
    with pytest.raises(BadInput, match=r"Y.trn.npz: .* the first at place 1\."):
        read_feature_documents(tmp_path, "train")
    documents = read_feature_documents(tmp_path, "train", skip_bad_lines=True)
    assert documents.lines == [None] and documents.labels == [["0"]]


def test_as_wide_as_in_training(tmp_path):
    (tmp_path / "test.svm").write_text("1 0:1 7:1\n1 8:1\n")
    documents = read_feature_documents(tmp_path, "test", num_features=5)
    assert documents.features.toarray().tolist() == [[1, 0, 0, 0, 0], [0] * 5]


@settings(deadline=None, max_examples=30)
@given(
    arrays(np.float32, (4, 3), elements=st.floats(0, 1024, width=16)),
    st.integers(-20, 20),
)
def test_rows_have_norm_one_whatever_their_scale(tmp_path_factory, rows, power):
    def lines(rows):
        yield "4 3 1"
        for row in rows:
            yield "0 " + " ".join(f"{i}:{float(v)!r}" for i, v in enumerate(row))

    folder = tmp_path_factory.mktemp("rows")
    found = read(folder, list(lines(rows))).features.toarray()
    lengths = np.linalg.norm(rows.astype(float), axis=1, keepdims=True)
    expected = rows / np.where(lengths, lengths, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    scaled = read(folder, list(lines(rows * np.float32(2.0**power)))).features
    np.testing.assert_allclose(scaled.toarray(), found, rtol=1e-4, atol=1e-6)


def test_a_digest_sees_every_change(tmp_path):
    lines = ["2 3 4", "1,2 0:1 1:2", "0 2:3"]
    first = documents_digest(read(tmp_path, lines))
    assert documents_digest(read(tmp_path, lines)) == first
    changes = [
        ["2 3 4", "1,2 0:1 1:2.5", "0 2:3"],
        ["2 3 4", "1,2 0:1 2:2", "0 2:3"],
        ["2 3 4", "1 0:1 1:2", "0 2:3"],
        ["2 4 4", "1,2 0:1 1:2", "0 2:3"],
        ["2 3 4", "0 2:3", "1,2 0:1 1:2"],
        ["2 3 4", "1,2 0:1", "0 1:2 2:3"],
    ]
    found = {documents_digest(read(tmp_path, change)) for change in changes}
    assert len(found) == len(changes) and first not in found
