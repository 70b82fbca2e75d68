"""The program of one of several processes that answer a share of a file each.

It reads its job as a line of JSON, and writes lines of JSON: `["advance" or "skip",
number of texts, share done]` and, for bad input, `["error", ...]` with the arguments of
`BadInput`. It ends when its input does, and so with the program that has started it.
"""

import json
import os
import signal
import sys
import threading

from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.predict_file import answer_file
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder


class Reports:
    """A `Pace` that reports to the program that has started this one."""

    def __init__(self, file, share):
        self.done, self._file, self._share = 0, file, share

    def skip(self, count):
        self._send("skip", count)

    def advance(self, count):
        self._send("advance", count)

    def _send(self, kind, count):
        self.done += count
        send(self._file, kind, count, self._share())


def send(file, *message):
    """Writes a line of JSON."""
    file.write(json.dumps(message) + "\n")
    file.flush()


def end_with_input():
    """Ends this process, at once, when its input ends."""
    while os.read(0, 1024):  # `sys.stdin` must not be in use when Python ends
        pass
    os._exit(2)


def main():
    # What libraries print must not mix with the messages.
    messages, sys.stdout = sys.stdout, sys.stderr
    # A terminal sends it to all; the program that has started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_input, daemon=True).start()
    try:
        answer_file(
            RunFolder(job["run"]),
            job["path"],
            job["output"],
            job["asked"],
            BadLines() if job["skip"] else None,
            job["resume"],
            share=tuple(job["share"]),
            pace=lambda share: Reports(messages, share),
        )
    except BadInput as error:
        path = None if error.path is None else str(error.path)
        send(messages, "error", error.message, path, error.line, error.remedy)
        sys.exit(2)


if __name__ == "__main__":
    main()
