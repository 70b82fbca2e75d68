"""Several sides that work in turns, each in a process of its own.

A side is a program, `keras_side.py` or `torch_side.py`, that gets its shape as JSON in
its only argument. It does one thing, `train` or `predict`; each line of its input, a
number, asks for so many steps of it, and the answer is a line of JSON with their
seconds and the most memory that the process has had. Turns matter: a machine that is
slow for a minute is slow for all.
"""

import contextlib
import json
import statistics
import subprocess
import sys
from pathlib import Path

# So that it runs in a clone that is not installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xmc_keras.training.memory import measure_peak_memory

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def answer(side):
    """The loop of a side: of a class with `start_training` and `train`, for example."""
    # What a library prints must not get among the answers.
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
        print(json.dumps([seconds, measure_peak_memory()]), file=answers, flush=True)


class Side:
    """A running side.

    Args:
        program: name of its file.
        shape: dictionary for it.
        python: the Python that runs it.
    """

    def __init__(self, program, shape, python=sys.executable):
        command = [str(python), str(HERE / program), json.dumps(shape)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds, self.peak_gb = [], 0.0

    def work(self, steps):
        """Asks for some steps and waits for them. Returns their seconds."""
        try:
            print(steps, file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"error: {' '.join(self.process.args[:2])} ended; see above.")
        seconds, self.peak_gb = json.loads(line)
        return seconds

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def take_turns(sides, steps, turns, warm_up=2):
    """Lets sides work one after the other, `turns` times `steps` steps each.

    Args:
        sides: dictionary from a name to `(program, shape, python)`.

    Returns:
        Dictionary from the names to `seconds` (list, a number a step) and `peak_gb`.
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
    """Median, and the quartiles around it."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return round(middle, 4), [round(low, 4), round(high, 4)]
