import resource
import sys

import numpy as np
import pytest

from xmc_keras.peak_memory import peak_memory_gb


def test_it_counts_what_was_taken_in_bytes():
    before = peak_memory_gb()
    # More than any test before may have had and given back.
    array = np.ones(int(1e9 * before / 8) + 10**7)
    assert peak_memory_gb() >= array.nbytes / 1e9
    del array
    assert peak_memory_gb() >= before


def test_units(tmp_path):
    (tmp_path / "status").write_text("VmPeak:\t 9 kB\nVmHWM:\t 2000000 kB\n")
    assert peak_memory_gb(tmp_path / "status") == 2.048
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    assert peak_memory_gb(tmp_path / "none") == pytest.approx(most, rel=0.01)
