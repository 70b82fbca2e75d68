"""Running a command and measuring its time, processor time and memory."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.shared.circumstances import ROOT, circumstances
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput

LONGEST = 300  # characters of an error that are passed on
PATIENCE = 10  # seconds for a process to end
# Linux counts the memory of the process that starts a command as the command's, so a
# small one starts it. It waits for the command also when both are asked to end.
STARTER = """
import json, resource, signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: None)
status = subprocess.call(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
seconds = usage.ru_utime + usage.ru_stime
with open(int(sys.argv[1]), "w") as file:
    json.dump([status, seconds, usage.ru_maxrss], file)
"""


def measure(command, log):
    """Runs a command in the clone, with its messages in a file.

    Args:
        command: list of strings.
        log: path. Standard error of the command.

    Returns:
        Dictionary: `stdout`; `seconds`; `cpu_seconds` and `peak_gb`, the largest
        process, of the command and the processes that it waited for.

    Raises:
        BadInput: the command ended with an error. It has the last line of the log.
    """
    begun = time.monotonic()
    read, write = os.pipe()
    with open(log, "wb") as stderr, open(read) as report:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", STARTER, str(write), *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            pass_fds=[write],
            start_new_session=True,
        )
        os.close(write)
        try:
            with process.stdout:
                stdout = process.stdout.read()
            found = report.read()
            process.wait()
        except BaseException:
            end(process)
            raise
    status, cpu_seconds, peak = json.loads(found or "[null, 0, 0]")
    if status != 0:
        said = log.read_text("utf-8", "replace").split("\n")
        last = next((line for line in reversed(said) if line.strip()), "nothing")
        raise BadInput(
            f"Expected it to end with status 0. Received: {status} and "
            f"{last[:LONGEST]!r}.",
            log,
        )
    return {
        "stdout": stdout,
        "seconds": round(time.monotonic() - begun, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "peak_gb": round(1024 * peak / 1e9, 3),
    }


def end(process):
    """Ends the processes of a command: in their own way, or at once if that is slow."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
            return


class Steps:
    """The measured steps of one model, each of which is kept when it is done.

    A step that was done with the same command and data at the same commit is not
    repeated.

    Args:
        folder: path. What the steps write is in it; made if it is missing.
        names: dictionary from words of commands, such as paths, to what stands for
            them in `command`.
        digest: string. Digest of the data.
    """

    def __init__(self, folder, names, digest):
        self.folder, self.names, self.digest = Path(folder), names, digest

    def __call__(self, name, command, makes=None):
        """Runs a step, unless it is done.

        Args:
            name: string.
            command: list of strings.
            makes: optional name of the file or folder in `folder` that the step
                makes. What is left of an earlier try is deleted.

        Returns:
            What `measure` returns, with `command`, `machine` and `commit`.
        """
        path = self.folder / f"{name}.json"
        shown = shlex.join(self.names.get(word, word) for word in command)
        shown = shown.replace("python -m xmc_keras.cli.program", "xmc")
        made = self.folder / makes if makes else None
        if path.exists() and (made is None or made.exists()):
            done = json.loads(path.read_text("utf-8"))
            now = shown, self.digest, circumstances(())["commit"]
            if now == (done["command"], done["digest"], done["commit"]):
                return done
        self.folder.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        done = measure(command, self.folder / f"{name}.log")
        done |= {"command": shown, "digest": self.digest, **circumstances(())}
        del done["versions"]
        with atomic_write(path) as file:
            file.write(json.dumps(done, indent=2).encode())
        return done
