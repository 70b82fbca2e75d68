import resource
import subprocess
import sys
import types
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.python.client import device_lib

from xmc_keras.training.memory import (
    count_file_pages,
    measure_free_memory,
    measure_machine_memory,
    measure_peak_memory,
)

GIB = 2**30
MEMINFO = f"MemTotal: {8 * 2**20} kB\nMemAvailable: {2**20} kB\nBuffers: 3 kB\n"


def write(root, **files):
    for name, content in files.items():
        path = Path(root, *name.split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(content))


@pytest.fixture
def root(tmp_path):
    """The files of a machine with 1 GiB available and no limits."""
    write(tmp_path, proc__meminfo=MEMINFO, proc__self__cgroup="0::/\n")
    return tmp_path


def group(root, path, limit, usage, files=None, version=2):
    folder = Path(root, "sys/fs/cgroup", "" if version == 2 else "memory", path)
    names = ("memory.max", "memory.current")
    if version == 1:
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{usage}\n")
    if files is not None:
        stat = f"anon 5\ninactive_file {files}\nactive_file 7\n"
        (folder / "memory.stat").write_text(stat)


def test_without_limits(root):
    assert measure_machine_memory(root) == GIB
    write(root, proc__self__cgroup="0::/a/b\n")
    group(root, "a/b", "max", 5)
    assert measure_machine_memory(root) == GIB


def test_a_limit_above_the_group_counts(root):
    write(root, proc__self__cgroup="0::/a/b\n")
    group(root, "a/b", GIB // 2, 0)
    group(root, "a", GIB // 4, 1000)
    assert measure_machine_memory(root) == GIB // 4 - 1000
    # In a container the group's own folder is the top one.
    group(root, "", GIB // 8, 1000)
    assert measure_machine_memory(root) == GIB // 8 - 1000


def test_files_that_are_kept_are_room(root):
    group(root, "", GIB // 2, 3000, files=2000)
    assert measure_machine_memory(root) == GIB // 2 - 3000 + 2000


def test_version_1(root):
    write(root, proc__self__cgroup="5:cpu:/a\n4:memory:/a\n0::/\n")
    group(root, "a", GIB // 2, 10, version=1)
    Path(root, "sys/fs/cgroup/memory/a/memory.stat").write_text(
        "inactive_file 1\ntotal_inactive_file 4\n"
    )
    # As large as can be: no limit.
    group(root, "", 2**63 - 4096, 10, version=1)
    assert measure_machine_memory(root) == GIB // 2 - 10 + 4


def test_without_proc(tmp_path):
    # All memory of this machine, which is more than is free.
    assert measure_machine_memory(tmp_path) >= measure_machine_memory()


def test_gpus(monkeypatch):
    assert measure_free_memory().keys() == {"machine"}
    devices = [("CPU", 1), ("GPU", 7), ("GPU", 5)]
    devices = [
        types.SimpleNamespace(device_type=kind, memory_limit=limit)
        for kind, limit in devices
    ]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind] * 2)
    monkeypatch.setattr(device_lib, "list_local_devices", lambda: devices)
    room = measure_free_memory()
    assert room["GPU"] == 5 and room["machine"] > 0


PROGRAM = """
from xmc_keras.training.memory import measure_peak_memory
before = measure_peak_memory()
array = bytearray(b"x") * 300_000_000
after = measure_peak_memory()
del array
print(before, after, measure_peak_memory())
"""


def test_peak_memory_counts_what_was_freed():
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after, last = map(float, done.stdout.split())
    assert before < 0.1
    assert after == pytest.approx(before + 0.3, abs=0.01)
    assert last == pytest.approx(after, abs=0.001)


def test_units_of_peak_memory(tmp_path):
    (tmp_path / "status").write_text("VmPeak:\t 9 kB\nVmHWM:\t 2000000 kB\n")
    assert measure_peak_memory(tmp_path / "status") == 2.048
    unit = 1 if sys.platform == "darwin" else 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    assert measure_peak_memory(tmp_path / "none") == pytest.approx(most, rel=0.01)


def test_statistics_without_file_pages(tmp_path):
    (tmp_path / "memory.stat").write_text("anon 5\n")
    assert count_file_pages(tmp_path) == 0
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 7\n")
    assert count_file_pages(tmp_path) == 7
