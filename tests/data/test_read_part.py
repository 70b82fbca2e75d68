import pytest

from xmc_keras.bad_input import BadInput
from xmc_keras.data.documents import Documents
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.data.splits import read_part


def test_texts_come_first(tmp_path):
    (tmp_path / "test.txt").write_text("1 5 5\n1 2:3\n")
    found = read_part(tmp_path, "test", num_features=5)
    assert isinstance(found, FeatureDocuments) and found.num_features == 5
    (tmp_path / "test_texts.txt").write_text("a text\n")
    (tmp_path / "test_labels.txt").write_text("label\n")
    assert isinstance(read_part(tmp_path, "test"), Documents)


def test_a_lost_file_of_texts_is_told(tmp_path):
    (tmp_path / "train.txt").write_text("1 5 5\n1 2:3\n")
    (tmp_path / "train_labels.txt").write_text("label\n")
    with pytest.raises(BadInput, match="Expected train_raw_texts.txt or train_texts"):
        read_part(tmp_path, "train")


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_folder_of_neither(folder, tmp_path):
    with pytest.raises(BadInput, match="Expected train_raw_texts.txt or train_texts"):
        read_part(tmp_path / folder, "train")
