"""Sides of a benchmark that take turns, each in a process of its own.

A side is a module, `keras_side` or `torch_side`, whose only argument is its shape as
JSON. It does one kind of work, `train` or `predict`. Each line of its input is a number
of steps to take; the answer is a line of JSON with the seconds of each step and the
peak memory of the process, on the GPU where there is one. Because sides take turns, a
machine that is slow for a minute is slow for all of them.
"""

import contextlib
import json
import statistics
import subprocess
import sys

from benchmarks.shared.circumstances import ROOT


def answer(side):
    """Runs a side in this process; `side` is a class such as `KerasSide`."""
    # Output of libraries must not mix with the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    shape = json.loads(sys.argv[1])
    worker = side(shape)
    if shape["work"] == "train":
        worker.start_training()
        step = worker.train
    else:
        worker.start_prediction()
        step = worker.predict
    for line in sys.stdin:
        seconds = [step() for _ in range(int(line))]
        print(json.dumps([seconds, worker.peak_gb()]), file=answers, flush=True)


class Side:
    """A side that is running.

    Args:
        module: string. Dotted name of the side's module.
        shape: dictionary that the module takes.
        python: path of the Python that runs it.
    """

    def __init__(self, module, shape, python=sys.executable):
        command = [str(python), "-m", module, json.dumps(shape)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.seconds, self.peak_gb = [], 0.0

    def work(self, steps):
        """Runs some steps and waits for them. Returns their seconds."""
        try:
            print(steps, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"error: {' '.join(self.process.args[:3])} ended; see above.")
        seconds, self.peak_gb = json.loads(line)
        return seconds

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def take_turns(sides, steps, turns, warm_up=2):
    """Lets sides take turns: `turns` times `steps` steps each, after a warm-up.

    Args:
        sides: dictionary from names to `(module, shape, python)`.

    Returns:
        Dictionary from names to `first_s`, the seconds of the first step, `seconds`, a
        list with one number per step, and `peak_gb`.
    """
    with contextlib.ExitStack() as stack:
        running = {name: Side(*of_side) for name, of_side in sides.items()}
        for side in running.values():
            stack.callback(side.close)
        for side in running.values():
            side.first = side.work(1)[0]
            side.work(warm_up)
        for _ in range(turns):
            for side in running.values():
                side.seconds += side.work(steps)
        return {
            name: {
                "first_s": round(side.first, 2),
                "seconds": side.seconds,
                "peak_gb": round(side.peak_gb, 2),
            }
            for name, side in running.items()
        }


def spread(seconds):
    """Median and quartiles."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return round(middle, 4), [round(low, 4), round(high, 4)]
