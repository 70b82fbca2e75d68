"""Errors of a worker that is left by another one."""

import atexit
import contextlib
import time

from xmc_keras.files.bad_input import BadInput

LEAVE = 10.0  # seconds that the chief waits for others at its end


class LostWorkers(BadInput):
    """Other workers have ended, and this one cannot go on."""


@contextlib.contextmanager
def explain_lost_workers(workers):
    """Context manager that turns TensorFlow's errors of lost workers into `BadInput`.

    A worker that ends, for whatever reason, ends what the others wait for: within
    seconds, because its connections close.

    Args:
        workers: `Workers`.
    """
    if workers.count == 1:
        yield
        return
    # Imported late: TensorFlow takes seconds to import.
    import tensorflow as tf

    errors = tf.errors
    lost = errors.UnavailableError, errors.AbortedError, errors.CancelledError
    try:
        yield
    except (*lost, errors.InternalError, errors.DeadlineExceededError) as error:
        first = " ".join(str(error.message).split())
        if not isinstance(error, lost) and "ollective" not in first:
            raise
        time.sleep(1)  # an address may answer for a moment
        missing = workers.strategy.cluster.find_missing()
        if not missing:
            raise
        raise LostWorkers(
            f"Expected {workers.count} workers until the end. Received: the end of "
            f"worker {missing}, see its output.",
            remedy="Start all of them again with `resume=True`.",
        ) from None


def leave_last(cluster):
    """Makes the chief, if this process is it, end after the other workers.

    They may still be fetching what it has sent.

    Args:
        cluster: a `Cluster`.
    """
    if cluster.index == 0:
        atexit.register(_wait_for_end, cluster)


def _wait_for_end(cluster):
    end = time.monotonic() + LEAVE
    while time.monotonic() < end:
        if cluster.find_missing(0.2).count("(") == len(cluster.addresses) - 1:
            return
        time.sleep(0.1)
