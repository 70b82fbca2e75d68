"""Programs of several workers on this machine, which find each other by TF_CONFIG."""

import json
import os
import socket
import subprocess
import sys

from tests.helpers.project import PROJECT

SECONDS = 300  # until workers are ended


def free_addresses(number):
    """Addresses of this machine whose ports are free, a list of strings."""
    found = []
    for _ in range(number):
        probe = socket.socket()
        probe.bind(("127.0.0.1", 0))
        found.append(probe)
    addresses = [f"127.0.0.1:{probe.getsockname()[1]}" for probe in found]
    for probe in found:
        probe.close()
    return addresses


def run_workers(module, *arguments, workers=2, seconds=SECONDS):
    """Runs a module in several processes; returns the standard output of each.

    All of them are ended when one fails, and its errors are shown.
    """
    addresses = free_addresses(workers)
    started = []
    for index in range(workers):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {**os.environ, "TF_CONFIG": json.dumps(config)}
        environment |= {"PYTHONPATH": str(PROJECT), "TF_NUM_INTRAOP_THREADS": "1"}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                cwd=PROJECT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    try:
        outputs = [process.communicate(timeout=seconds) for process in started]
    finally:
        for process in started:
            process.kill()
    for process, (_, errors) in zip(started, outputs):
        assert process.returncode == 0, errors[-4000:]
    return [output for output, _ in outputs]
