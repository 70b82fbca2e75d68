"""Programs that are killed at a chosen file operation or moment.

`python -m tests.helpers.killed_programs` imports TensorFlow once and then forks for
each program, which therefore starts at once and can be killed many times.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from tests.helpers.project import PROJECT

EVENTS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


class KilledPrograms:
    """Runs commands of `xmc` in processes of their own, and kills them.

    Args:
        log: path. What the programs print is appended to it.
    """

    def __init__(self, log):
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(log)],
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, under, at=None, seconds=None, settings=None):
        """Runs a command; returns its status, -9 if killed, and its operations.

        Args:
            *arguments: strings or paths. The command and its arguments.
            under: path. Where operations count: files opened to be written, renames,
                removals, new folders.
            at: optional int. The operation before which it is killed, from 1.
            seconds: optional float. The moment at which it is killed.
            settings: optional dictionary from `module:name` to a value to set there.
        """
        arguments = [str(argument) for argument in arguments]
        order = arguments, str(under), at, seconds, settings or {}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return tuple(json.loads(self._process.stdout.readline()))

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(log):
    import mmap

    import keras  # noqa: F401
    import tensorflow  # noqa: F401
    import tensorflow_text  # noqa: F401

    import xmc_keras.runs.model_file  # noqa: F401
    import xmc_keras.training.fit  # noqa: F401
    from xmc_keras.cli import program

    count = mmap.mmap(-1, 8)
    answers = os.fdopen(os.dup(1), "w")
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    for line in sys.stdin:
        arguments, under, at, seconds, settings = json.loads(line)
        count[:] = bytes(8)
        pid = os.fork()
        if not pid:
            run(program, arguments, under, at, settings, count)
        timer = threading.Timer(seconds or 1e6, os.kill, (pid, signal.SIGKILL))
        timer.daemon = True
        timer.start()
        begun = time.monotonic()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        timer.cancel()
        took = time.monotonic() - begun
        answers.write(json.dumps([status, int.from_bytes(count[:]), took]) + "\n")
        answers.flush()


def run(program, arguments, under, at, settings, count):
    """Runs a command in this process, a fork, and ends it."""
    import importlib

    for name, value in settings.items():
        module, name = name.split(":")
        setattr(importlib.import_module(module), name, value)

    def look(event, found):
        writes = event == "open" and found[2] & (os.O_WRONLY | os.O_RDWR)
        if (writes or event in EVENTS) and str(found[0]).startswith(under):
            number = int.from_bytes(count[:]) + 1
            count[:] = number.to_bytes(8)
            if number == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
    status = 0
    try:
        program.main(arguments)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
