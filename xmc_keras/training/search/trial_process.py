"""The process that trains a trial, and how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 10  # seconds in which a trial that is interrupted ends


def start_trial(runs, number, skip_bad_lines):
    """Trains a trial in a process of its own, which ends with this one."""
    command = [sys.executable, "-m", "xmc_keras.cli.program", "sweep", str(runs)]
    command += ["--process-of", str(number)]
    if skip_bad_lines:
        command.append("--skip-bad-lines")
    # In a session of its own: Ctrl-C reaches this process alone, which then ends the
    # other by closing its input.
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True
    )
    try:
        process.wait()
    finally:
        process.stdin.close()
        process.wait()


def end_with_parent():
    """Lets this process end with the one that started it by `start_trial`."""
    # A program that a shell starts in the background ignores SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input():
    """Ends the process once its input is closed, also by the death of the other."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE)
    os._exit(130)
