"""How far a program has come, on a terminal or in a log."""

import sys
import time

from clock import clock
from pace import Pace

WIDTH, SECONDS = 30, 0.2  # characters of the bar; between two drawings, at least


class Bar:
    """Shows how many a second and the time left: a bar on a terminal, else a log.

    Args:
        share: callable. Share of the input that has been read.
        unit: string. What is counted. Defaults to `"documents"`.
        stream: optional text stream that is drawn on. Defaults to standard error.

    Example:

    >>> bar = Bar(lambda: 0.5)
    >>> bar.answered(100)
    >>> bar.done
    100
    """

    def __init__(self, share, unit="documents", stream=None):
        self._share, self._stream = share, stream or sys.stderr
        self._unit = unit
        self._pace = None if self._stream.isatty() else Pace(share, unit)
        self.done, self._counted = 0, 0
        self._begun = self._drawn = time.monotonic()

    def skip(self, count):
        """Counts what an earlier start did."""
        self.done += count
        if self._pace:
            self._pace.skip(count)

    def answered(self, count):
        """Counts more, and shows them if the last drawing is old."""
        self.done += count
        self._counted += count
        if self._pace:
            return self._pace.answered(count)
        now = time.monotonic()
        if now - self._drawn < SECONDS:
            return
        self._drawn = now
        share = min(1.0, max(self._share(), 1e-9))
        rate = self._counted / (now - self._begun)
        left = clock((self.done / share - self.done) / rate)
        full = round(WIDTH * share)
        self._stream.write(
            f"\r[{'=' * full:{WIDTH}}] {share:4.0%}  {self.done:,} {self._unit}, "
            f"{rate:,.0f} a second, {left} left   "
        )
        self._stream.flush()

    def end(self):
        """Leaves the line of the bar."""
        if not self._pace and self._drawn != self._begun:
            self._stream.write("\n")
