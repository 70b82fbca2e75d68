import gzip

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.damaged import damage
from xmc_keras.data.features.read_features import read_features
from xmc_keras.files.bad_input import BadInput

FEATURES = np.array([[0, 0.5, 0, 2], [0, 0, 0, 0], [1, 0, 0, 0.25]], np.float32)
LABELS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], np.float32)
ONE_FILE = "3 4 3\n0 3:2 1:0.5\n0,1\n 0:1 3:0.25\n"
LIBSVM = ONE_FILE[6:]


def write_npz(folder, short="trn"):
    for name, matrix in (("X", FEATURES), ("Y", LABELS)):
        scipy.sparse.save_npz(
            folder / f"{name}.{short}.npz", scipy.sparse.csc_matrix(matrix)
        )


def write_two_files(folder, short="trn"):
    features = "3 4\n1:0.5 3:2\n\n0:1 3:0.25\n"
    (folder / f"{short}_X_Xf.txt.gz").write_bytes(gzip.compress(features.encode()))
    (folder / f"{short}_X_Y.txt").write_text("3 3\n0:1\n0:1 1:1.0 2:0\n\n")


FORMS = {
    "repository": lambda folder: (folder / "train.txt").write_text(ONE_FILE),
    "named": lambda folder: (folder / "eurlex_train.txt").write_text(ONE_FILE),
    "libsvm": lambda folder: (folder / "train.svm").write_text(LIBSVM),
    "two files": write_two_files,
    "npz": write_npz,
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(tmp_path, form):
    FORMS[form](tmp_path)
    documents = read_features(tmp_path, "train")
    assert documents.features.toarray().tolist() == FEATURES.tolist()
    width = documents.num_labels
    assert width == (2 if form == "libsvm" else 3)
    assert documents.label_matrix.toarray().tolist() == LABELS[:, :width].tolist()
    assert (documents.num_empty, documents.num_unlabelled) == (1, 1)
    assert documents.num_unused_labels == width - 2
    first = min(tmp_path.iterdir(), key=lambda path: ("Y" in path.name, path.name))
    again = read_features(first)
    assert (again.features != documents.features).nnz == 0
    wider = read_features(tmp_path, "train", num_features=4, num_labels=7)
    assert wider.label_matrix.shape == (3, 7) and wider.features.shape == (3, 4)


def test_test_part_without_first_line(tmp_path, caplog):
    (tmp_path / "test.libsvm").write_text("0 1:1 7:1\n5 9:2\n")
    documents = read_features(tmp_path, "test", num_features=4, num_labels=3)
    assert documents.features.toarray().tolist() == [[0, 1, 0, 0], [0, 0, 0, 0]]
    assert documents.label_matrix.shape == (2, 6)
    assert "left out 2 values of features not seen in training" in caplog.text
    few = read_features(tmp_path, "test", num_features=20)
    assert few.features.shape == (2, 20)


def test_test_part_of_another_set(tmp_path):
    (tmp_path / "test.txt").write_text(ONE_FILE)
    with pytest.raises(BadInput, match="test.txt: Expected 9 features, .* Received: 4"):
        read_features(tmp_path, "test", num_features=9)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_damaged_npz(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("npz")
    write_npz(folder)
    path = folder / data.draw(st.sampled_from(["X.trn.npz", "Y.trn.npz"]))
    damage(path, data)
    try:
        documents = read_features(folder, "train")
    except BadInput as error:
        assert str(error).startswith(f"{path}: Expected ")
    else:
        assert documents.features.toarray().tolist() == FEATURES.tolist()
        assert documents.label_matrix.toarray().tolist() == LABELS.tolist()


def test_npz_of_other_things(tmp_path):
    write_npz(tmp_path)
    path = tmp_path / "X.trn.npz"
    scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(FEATURES[:2]))
    with pytest.raises(
        BadInput, match="Y.trn.npz: Expected as many .*, 2. Received: 3"
    ):
        read_features(tmp_path, "train")
    scipy.sparse.save_npz(path, scipy.sparse.csr_matrix([[np.nan]]))
    with pytest.raises(BadInput, match="X.trn.npz: .* Received: nan in row 0|NaN"):
        read_features(tmp_path, "train")
    matrix = scipy.sparse.csr_matrix(FEATURES)
    matrix.indices[0] = 99
    scipy.sparse.save_npz(path, matrix)
    with pytest.raises(BadInput, match="X.trn.npz: Expected a sparse matrix"):
        read_features(tmp_path, "train")
    np.savez(path, FEATURES)
    with pytest.raises(BadInput, match="X.trn.npz: Expected a sparse matrix"):
        read_features(tmp_path, "train")
    (tmp_path / "Y.trn.npz").unlink()
    scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(FEATURES))
    with pytest.raises(BadInput, match="Expected the labels in Y.trn.npz in the"):
        read_features(tmp_path, "train")


def test_no_documents(tmp_path):
    for name in "XY":
        scipy.sparse.save_npz(
            tmp_path / f"{name}.trn.npz", scipy.sparse.csr_matrix((0, 3))
        )
    with pytest.raises(BadInput, match="Expected documents. Received: none"):
        read_features(tmp_path, "train")


def test_folders(tmp_path):
    with pytest.raises(BadInput, match="Expected one of trn_X_Xf.txt, X.trn.npz, trai"):
        read_features(tmp_path, "train")
    with pytest.raises(
        ValueError, match="Expected part 'train' or 'test'. Received: N"
    ):
        read_features(tmp_path)
    for name in ("a_train.txt", "b_train.txt"):
        (tmp_path / name).write_text(ONE_FILE)
    with pytest.raises(BadInput, match="Received: a_train.txt, b_train.txt. Give the"):
        read_features(tmp_path, "train")
    with pytest.raises(BadInput, match="no/such.txt: Expected a readable .* No such"):
        read_features("no/such.txt")
