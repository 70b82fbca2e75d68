import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.config.config import Config
from xmc_keras.data.documents import Documents
from xmc_keras.data.feature_documents import FeatureDocuments
from xmc_keras.data.splits import read_part, split_documents, validation_split
from xmc_keras.files.bad_input import BadInput


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 300), st.integers(0, 2**32))
def test_parts_are_sorted_and_hold_every_document_once(data, num_documents, seed):
    size = data.draw(st.integers(0, num_documents - 1))
    train, validation = validation_split(num_documents, size, seed)
    assert train.dtype == validation.dtype == np.int64
    assert train.shape == (num_documents - size,) and validation.shape == (size,)
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    assert sorted(train.tolist() + validation.tolist()) == list(range(num_documents))


def test_the_seed_alone_decides():
    np.random.seed(1)
    first = validation_split(1000, 100, seed=7)
    np.random.seed(2)
    second = validation_split(1000, 100, seed=7)
    other = validation_split(1000, 100, seed=8)
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert first[1].tolist() != other[1].tolist()


def test_every_document_is_as_likely_as_another():
    counts = np.zeros(10)
    for seed in range(2000):
        counts[validation_split(10, 3, seed)[1]] += 1
    # 2,000 draws with probability 0.3: mean 600, standard deviation 20.5.
    assert np.abs(counts - 600).max() < 5 * 20.5


@pytest.mark.parametrize("num_documents, size", [(5, -1), (5, 5), (5, 6), (0, 0)])
def test_impossible_size(num_documents, size):
    with pytest.raises(BadInput, match=f"size={size}, num_documents={num_documents}"):
        validation_split(num_documents, size, seed=0)


def test_no_seed():
    with pytest.raises(ValueError, match="seed=None"):
        validation_split(5, 1, seed=None)


def split_set(**values):
    config = Config(data="none", encoder="none", validation_documents=40, **values)
    return split_documents(config, 500)


def test_training_part_is_the_rest_or_train_documents_of_it():
    rest, held_out = split_set(seed=3)
    assert sorted([*rest, *held_out]) == list(range(500))
    few, same = split_set(seed=3, train_documents=100)
    assert len(few) == 100 and set(few) <= set(rest) and (np.diff(few) > 0).all()
    np.testing.assert_array_equal(same, held_out)


def test_split_seed_replaces_the_seed_of_the_split():
    parts = {
        name: np.concatenate(split_set(train_documents=100, **seeds)).tolist()
        for name, seeds in {
            "0": {"seed": 0},
            "1": {"seed": 1},
            "1, split by 0": {"seed": 1, "split_seed": 0},
            "0, split by 1": {"seed": 0, "split_seed": 1},
        }.items()
    }
    assert parts["0"] == parts["1, split by 0"] != parts["1"] == parts["0, split by 1"]


def test_more_train_documents_than_there_are():
    with pytest.raises(BadInput, match="at most the number of documents .* 460.* 461"):
        split_set(train_documents=461)


def test_read_part_prefers_texts(tmp_path):
    (tmp_path / "test.txt").write_text("1 5 5\n1 2:3\n")
    found = read_part(tmp_path, "test", num_features=5)
    assert isinstance(found, FeatureDocuments) and found.num_features == 5
    (tmp_path / "test_texts.txt").write_text("a text\n")
    (tmp_path / "test_labels.txt").write_text("label\n")
    assert isinstance(read_part(tmp_path, "test"), Documents)


def test_missing_file_of_texts_is_reported(tmp_path):
    (tmp_path / "train.txt").write_text("1 5 5\n1 2:3\n")
    (tmp_path / "train_labels.txt").write_text("label\n")
    with pytest.raises(BadInput, match="Expected train_raw_texts.txt or train_texts"):
        read_part(tmp_path, "train")


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_folder_without_texts_and_features(folder, tmp_path):
    with pytest.raises(BadInput, match="Expected train_raw_texts.txt or train_texts"):
        read_part(tmp_path / folder, "train")
