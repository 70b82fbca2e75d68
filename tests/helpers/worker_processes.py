"""Processes that train together on this machine."""

import json
import os
import socket
import subprocess
import sys
import tempfile

from tests.helpers.project import PROJECT

FIT = ("-m", "xmc_keras.cli.program", "fit")


def free_ports(count):
    """Ports that are free, a list of ints."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cluster_of(ports):
    return {"worker": [f"127.0.0.1:{port}" for port in ports]}


class WorkerProcesses:
    """Starts a program in several processes, each with its own TF_CONFIG.

    Args:
        *arguments: strings or paths, of Python; or a function of a worker's index that
            returns a list of them.
        count: int.
        absent: iterable of ints. Workers that are not started.
        environment: dictionary of further variables.
        ports: optional list of ints.
    """

    def __init__(self, *arguments, count=2, absent=(), environment=None, ports=None):
        ports = ports or free_ports(count)
        self.processes, self._outputs = [], []
        for index in sorted(set(range(count)) - set(absent)):
            task = {"type": "worker", "index": index}
            config = {"cluster": cluster_of(ports), "task": task}
            own = arguments[0](index) if callable(arguments[0]) else arguments
            output = tempfile.TemporaryFile("w+")
            self._outputs.append(output)
            self.processes.append(
                subprocess.Popen(
                    [sys.executable, *map(str, own)],
                    cwd=PROJECT,
                    env={
                        **os.environ,
                        "PYTHONPATH": str(PROJECT),
                        "TF_CPP_MIN_LOG_LEVEL": "3",
                        "TF_CONFIG": json.dumps(config),
                        **(environment or {}),
                    },
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self.processes:
            process.kill()
            process.wait()
        for output in self._outputs:
            output.close()

    def wait(self, timeout=1200):
        """Waits for all; returns a list of `(status, output)`."""
        for process in self.processes:
            process.wait(timeout)
        return [
            (process.returncode, self.output(place))
            for place, process in enumerate(self.processes)
        ]

    def output(self, place):
        self._outputs[place].seek(0)
        return self._outputs[place].read()


def run_workers(*arguments, **options):
    """Runs a program in several processes, see `WorkerProcesses`."""
    with WorkerProcesses(*arguments, **options) as workers:
        return workers.wait()


def errors(results):
    """The sentence that each process ended with, which must be its only error."""
    found = []
    for status, output in results:
        lines = [line for line in output.splitlines() if line.startswith("error: ")]
        assert status == 2 and len(lines) == 1, (status, output[-3000:])
        assert "Traceback" not in output, output[-3000:]
        found.append(lines[0])
    return found
