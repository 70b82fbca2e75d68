"""Processes of this machine that answer a share of one file each."""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.progress import Pace

PROGRAM = "xmc_keras.evaluation.share_worker"


def check_workers(workers):
    """Raises `BadInput` for a number of processes that there cannot be."""
    if type(workers) is not int or not 1 <= workers <= count_cores():
        raise BadInput(
            f"Expected workers from 1 to the number of cores, {count_cores()}. "
            f"Received: {workers}."
        )


def run_workers(jobs):
    """Runs a process for each job, shows their progress, and waits for all of them.

    If one fails, all end. They also end if this process does, however it is killed.

    Args:
        jobs: list of dictionaries, see `share_worker`.

    Raises:
        BadInput: that of the first process that fails, or what has ended it.
    """
    messages, shares = queue.Queue(), [0.0] * len(jobs)
    pace = Pace(lambda: sum(shares) / len(shares))
    with contextlib.ExitStack() as stack:
        processes = []
        for place, (job, environment) in enumerate(zip(jobs, share_machine(len(jobs)))):
            process = start_worker(job, environment)
            processes.append(process)
            reader = threading.Thread(target=read, args=(place, process, messages))
            reader.start()
            stack.callback(reader.join)
            stack.callback(end_worker, process)  # before its reader
        running = len(jobs)
        while running:
            place, kind, *content = messages.get()
            if kind == "ended":
                running -= 1
                check_status(processes[place].wait(), place + 1, len(jobs))
            elif kind == "error":
                raise BadInput(*content)
            else:
                count, shares[place] = content
                (pace.skip if kind == "skip" else pace.advance)(count)


def start_worker(job, environment):
    """Starts a process and gives it its job."""
    process = subprocess.Popen(
        # Without -P, modules of the current folder would come before those of Python.
        [sys.executable, "-P", "-m", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **environment},
    )
    with contextlib.suppress(BrokenPipeError):  # its end says more
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    return process


def end_worker(process):
    """Ends a process, if it has not ended. What it writes survives that."""
    process.kill()
    process.wait()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()


def read(place, process, messages):
    """Puts the messages of a process into a queue, and last that it has ended."""
    with process.stdout as lines:
        for line in lines:
            messages.put((place, *json.loads(line)))
    messages.put((place, "ended"))


def check_status(status, number, count):
    """Raises `BadInput` if a process has not ended well."""
    if status == 0:
        return
    if status > 0:
        how, remedy = f"ended with status {status}, see above", ""
    else:
        how = f"was ended by signal {-status}"
        remedy = "If memory was short, start fewer `workers` from the beginning. "
    raise BadInput(
        f"Expected {count} processes to answer their shares. Received: the one of "
        f"share {number}/{count} {how}.",
        remedy=f"{remedy}Continue with `resume=True`.",
    )


def share_machine(workers):
    """The environment of each process, by which it uses its share of the machine.

    Variables that are set already are left as they are.

    Returns:
        List of dictionaries.
    """
    threads = str(max(1, count_cores() // workers))
    names = "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
    shared = {name: threads for name in names} | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    found = {"PYTHONPATH": find_package()}
    found |= {name: x for name, x in shared.items() if name not in os.environ}
    return [found | gpu for gpu in share_gpus(workers, find_gpus())]


def find_package():
    """PYTHONPATH with the folder of this package, a clone that is not installed."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]
    return os.pathsep.join(filter(None, paths))


def share_gpus(workers, gpus):
    """The variables that give each process one GPU, in turn.

    >>> share_gpus(3, ["0", "1"])[2]
    {'CUDA_VISIBLE_DEVICES': '0', 'TF_FORCE_GPU_ALLOW_GROWTH': 'true'}
    >>> share_gpus(2, [])
    [{}, {}]
    """
    if not gpus:
        return [{}] * workers
    found = [{"CUDA_VISIBLE_DEVICES": gpus[n % len(gpus)]} for n in range(workers)]
    if workers > len(gpus):  # otherwise the first of two takes all memory of a GPU
        found = [gpu | {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} for gpu in found]
    return found


def find_gpus():
    """The GPUs that TensorFlow would use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None and shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True)
        named = ",".join(done.stdout.split()) if done.returncode == 0 else ""
    names = [name.strip() for name in (named or "").split(",")]
    return [name for name in names if name not in ("", "-1")]


def count_cores():
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
