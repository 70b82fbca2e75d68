"""Starting the workers of one machine."""

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time

from xmc_keras.evaluation.share_workers import find_gpus, find_package
from xmc_keras.files.bad_input import BadInput

GRACE = 30  # seconds in which the others end by themselves after one has failed
TOGETHER = 0.8  # seconds: a worker needs more to find that another has ended
SAID = 2  # status of a program that has said what is wrong


def launch_workers(command, count):
    """Runs a command in `count` processes that train together, and waits for them.

    Each has its share of the cores and of the GPUs. The output of the first one, the
    chief, goes where that of this process goes. If one fails, all end.

    Args:
        command: list of strings. It has to call `end_with_parent` first.
        count: int, at least 1.

    Returns:
        The exit status, 0 or that of the chief, if this has said what is wrong.

    Raises:
        BadInput: there are fewer cores or GPUs than workers, or a worker has failed.
    """
    cores = _share(sorted(os.sched_getaffinity(0)), count, "cores")
    gpus = _share(find_gpus(), count, "GPUs")
    addresses = [f"127.0.0.1:{port}" for port in _find_ports(count)]
    workers, outputs = [], []
    with contextlib.ExitStack() as stack:
        try:
            for index in range(count):
                task = {"type": "worker", "index": index}
                config = {"cluster": {"worker": addresses}, "task": task}
                environment = dict(os.environ, TF_CONFIG=json.dumps(config))
                environment["PYTHONPATH"] = find_package()
                if gpus:
                    environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus[index])
                output = None
                if index:
                    output = stack.enter_context(tempfile.TemporaryFile())
                outputs.append(output)
                # In a session of its own: Ctrl-C reaches this process alone, which
                # ends the others by closing their input.
                worker = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=output and subprocess.STDOUT,
                    start_new_session=True,
                )
                workers.append(worker)
                os.sched_setaffinity(worker.pid, cores[index])
            failed = _wait(workers)
        finally:
            _end(workers)
        if failed is None:
            return 0
        if failed == 0 and workers[0].returncode == SAID:
            return SAID
        raise _explain(failed, workers, outputs)


def _share(things, count, name):
    """Shares a list out evenly: a list of lists, or an empty one if it is empty."""
    if not things:
        return []
    if len(things) < count:
        raise BadInput(
            f"Expected at most {len(things)} workers, one for each of the {name} of "
            f"this machine. Received: {count}."
        )
    size = len(things) // count
    return [things[i * size : (i + 1) * size] for i in range(count)]


def _find_ports(count):
    """Ports that are free, a list of different ints."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _wait(workers):
    """Waits until all have ended, or one has failed, whose index it returns."""
    while True:
        codes = [worker.poll() for worker in workers]
        if any(codes):
            # What is wrong for all of them, the chief says.
            time.sleep(TOGETHER)
            failed = [index for index, worker in enumerate(workers) if worker.poll()]
            return 0 if 0 in failed else codes.index(next(filter(None, codes)))
        if None not in codes:
            return None
        time.sleep(0.2)


def _end(workers):
    """Ends what still runs: after a while, by its input, and in the end by force."""
    end = time.monotonic() + GRACE
    running = [worker for worker in workers if worker.poll() is None]
    failed = any(worker.returncode for worker in workers)
    while failed and running and time.monotonic() < end:
        time.sleep(0.2)
        running = [worker for worker in running if worker.poll() is None]
    for worker in workers:
        worker.stdin.close()
    for worker in running:
        try:
            worker.wait(GRACE)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _explain(failed, workers, outputs):
    """The error of the worker that failed first, or was killed."""
    code = workers[failed].returncode
    # Those that only lost another one say so themselves.
    killed = [i for i, worker in enumerate(workers) if worker.returncode < 0]
    if killed:
        failed, code = killed[0], workers[killed[0]].returncode
    said = "see its output above"
    if outputs[failed] is not None:
        outputs[failed].seek(0)
        lines = outputs[failed].read().decode(errors="replace").strip().splitlines()
        errors = [line for line in lines if line.startswith("error: ")]
        said = " ".join((errors or lines or ["it said nothing"])[-1].split())[:500]
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    return BadInput(
        f"Expected {len(workers)} workers to train to the end. Received: worker "
        f"{failed} {how} ({said.removeprefix('error: ')}).",
        # A worker that has said what is wrong has also said what helps.
        remedy="" if code == SAID else "Continue with `resume=True`.",
    )
