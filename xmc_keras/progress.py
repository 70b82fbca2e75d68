"""How far a program has come, on a terminal or in a log."""

import logging
import sys
import time


def format_seconds(seconds):
    """Seconds as a person says them.

    >>> format_seconds(42), format_seconds(600), format_seconds(7300)
    ('42 s', '10 min', '2 h 2 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


logger = logging.getLogger(__name__)

LOG_SECONDS = 10  # between two messages, at least


class Pace:
    """Logs, now and then, texts a second and the time left.

    Args:
        share: optional callable. Share of the input that has been read; without it
            nobody knows what is left.
        unit: string. What is counted. Defaults to `"texts"`.

    Attributes:
        done: int. Texts answered, those of an earlier start among them.
    """

    def __init__(self, share=None, unit="texts"):
        self._share, self._unit = share, unit
        self.done = 0
        self._start()

    def _start(self):
        self._before = self.done
        self._begun = self._told = time.monotonic()

    def skip(self, count):
        """Counts texts that an earlier start answered."""
        self.done += count
        self._start()

    def advance(self, count):
        """Counts texts, and tells how it goes if the last message is old."""
        self.done += count
        now = time.monotonic()
        if now - self._told < LOG_SECONDS:
            return
        self._told = now
        rate = (self.done - self._before) / (now - self._begun)
        left = ""
        if self._share is not None:
            rest = self.done / max(self._share(), 1e-9) - self.done
            left = f", about {format_seconds(rest / rate)} left"
        logger.info("%d %s, %.1f a second%s", self.done, self._unit, rate, left)


WIDTH, DRAW_SECONDS = 30, 0.2  # characters of the bar; between two drawings, at least


class Bar:
    """Shows how many a second and the time left: a bar on a terminal, else a log.

    Args:
        share: callable. Share of the input that has been read.
        unit: string. What is counted. Defaults to `"documents"`.
        stream: optional text stream that is drawn on. Defaults to standard error.

    Example:

    >>> bar = Bar(lambda: 0.5)
    >>> bar.advance(100)
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

    def advance(self, count):
        """Counts more, and shows them if the last drawing is old."""
        self.done += count
        self._counted += count
        if self._pace:
            return self._pace.advance(count)
        now = time.monotonic()
        if now - self._drawn < DRAW_SECONDS:
            return
        self._drawn = now
        share = min(1.0, max(self._share(), 1e-9))
        rate = self._counted / (now - self._begun)
        left = format_seconds((self.done / share - self.done) / rate)
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
