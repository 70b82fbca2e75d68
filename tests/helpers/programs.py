"""Programs of the project, started as a user does."""

import os
import subprocess
import sys

from tests.helpers.project import PROJECT


def run_benchmark(name, *arguments):
    """Runs a module of benchmarks/, such as `speed.data`; returns what has ended."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)


def start(name, *arguments, **kwargs):
    """Starts a program of trainers/, as a user does; returns the `Popen`."""
    command = [sys.executable, f"trainers/{name}.py", *map(str, arguments)]
    kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # that of the tests
    return subprocess.Popen(command, cwd=PROJECT, env=environment, **kwargs)


def run_xmc(*arguments, **kwargs):
    """Runs a command of `xmc`; returns what has ended."""
    command = [sys.executable, "-m", "xmc_keras.cli.program", *map(str, arguments)]
    kwargs = {"capture_output": True, "text": True, **kwargs}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=PROJECT, env=environment, **kwargs)
