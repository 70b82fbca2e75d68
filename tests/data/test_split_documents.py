import numpy as np
import pytest

from xmc_keras.bad_input import BadInput
from xmc_keras.config.config import Config
from xmc_keras.data.splits import split_documents


def split(**values):
    config = Config(data="none", encoder="none", validation_documents=40, **values)
    return split_documents(config, 500)


def test_all_that_is_not_held_back_or_as_many_as_told():
    rest, held_out = split(seed=3)
    assert sorted([*rest, *held_out]) == list(range(500))
    few, same = split(seed=3, train_documents=100)
    assert len(few) == 100 and set(few) <= set(rest) and (np.diff(few) > 0).all()
    np.testing.assert_array_equal(same, held_out)


def test_split_seed_decides_and_stands_for_seed():
    parts = {
        name: np.concatenate(split(train_documents=100, **seeds)).tolist()
        for name, seeds in {
            "0": {"seed": 0},
            "1": {"seed": 1},
            "1, split by 0": {"seed": 1, "split_seed": 0},
            "0, split by 1": {"seed": 0, "split_seed": 1},
        }.items()
    }
    assert parts["0"] == parts["1, split by 0"] != parts["1"] == parts["0, split by 1"]


def test_more_than_there_are():
    with pytest.raises(BadInput, match="at most the number of documents .* 460.* 461"):
        split(train_documents=461)
