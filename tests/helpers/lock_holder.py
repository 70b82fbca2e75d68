"""Another process that holds a `PathLock`, until it is ended."""

import contextlib
import subprocess
import sys

from tests.helpers.project import PROJECT

PROGRAM = """
import sys
from xmc_keras.files.path_lock import PathLock
with PathLock(sys.argv[1], "for a run", "run"):
    print("holds", flush=True)
    sys.stdin.readline()
"""


@contextlib.contextmanager
def another_process_writes(path, program=PROGRAM):
    """Starts it, waits until it holds the lock, yields its `Popen`, and lets it end."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "holds\n"
        yield process
    finally:
        process.communicate("\n", timeout=30)
