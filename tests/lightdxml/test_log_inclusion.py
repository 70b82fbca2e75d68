"""log_inclusion against batches that were really drawn."""

import numpy as np
import pytest

from xmc_keras.lightdxml.log_inclusion import log_inclusion


@pytest.mark.parametrize("random_negatives", [0, 3])
def test_as_often_as_batches_have_it(random_negatives):
    rng = np.random.default_rng(0)
    counts, num_documents, batch_size = [0, 1, 4, 20], 40, 8
    of_label = [np.arange(count) for count in counts]  # its documents
    times, batches = np.zeros(len(counts)), 20_000
    for _ in range(batches):
        batch = rng.integers(0, num_documents, batch_size)
        drawn = rng.integers(0, len(counts), random_negatives)
        for label, documents in enumerate(of_label):
            times[label] += np.isin(batch, documents).any() or label in drawn
    found = np.exp(log_inclusion(counts, num_documents, batch_size, random_negatives))
    expected = np.maximum(times / batches, 1 / num_documents)
    np.testing.assert_allclose(found, expected, atol=0.015)


def test_always_there_is_zero():
    found = log_inclusion([7, 3], num_documents=7, batch_size=2, random_negatives=1)
    assert found.dtype == np.float32
    assert found[0] == 0 and found[1] < 0


@pytest.mark.parametrize("counts", [[-1, 2], [3, 11]])
def test_counts_that_cannot_be(counts):
    with pytest.raises(ValueError, match="from 0 to `num_documents`"):
        log_inclusion(counts, 10, 2, 0)
