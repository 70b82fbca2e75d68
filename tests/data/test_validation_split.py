import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.bad_input import BadInput
from xmc_keras.data.splits import validation_split


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
