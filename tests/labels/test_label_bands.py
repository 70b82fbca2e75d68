import numpy as np

from xmc_keras.labels.label_bands import BANDS, find_bands


def test_bands():
    counts = np.arange(500)
    expected = [sum(count >= first for first in BANDS) for count in counts]
    assert find_bands(counts).tolist() == expected
