"""The process that trains a trial."""

import subprocess
import sys


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
