import resource
import subprocess
import sys

import pytest

from xmc_keras.training.memory import measure_peak_memory

PROGRAM = """
from xmc_keras.training.memory import measure_peak_memory
before = measure_peak_memory()
array = bytearray(b"x") * 300_000_000
after = measure_peak_memory()
del array
print(before, after, measure_peak_memory())
"""


def test_what_was_taken_and_given_back_counts():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after, last = map(float, done.stdout.split())
    assert before < 0.1
    assert after == pytest.approx(before + 0.3, abs=0.01)
    assert last == pytest.approx(after, abs=0.001)


def test_units(tmp_path):
    (tmp_path / "status").write_text("VmPeak:\t 9 kB\nVmHWM:\t 2000000 kB\n")
    assert measure_peak_memory(tmp_path / "status") == 2.048
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    assert measure_peak_memory(tmp_path / "none") == pytest.approx(most, rel=0.01)
