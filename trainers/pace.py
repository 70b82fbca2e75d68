"""How fast texts are answered, and how long the rest takes."""

import logging
import time

from clock import clock

logger = logging.getLogger(__name__)

SECONDS = 10  # between two messages, at least


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

    def answered(self, count):
        """Counts texts, and tells how it goes if the last message is old."""
        self.done += count
        now = time.monotonic()
        if now - self._told < SECONDS:
            return
        self._told = now
        rate = (self.done - self._before) / (now - self._begun)
        left = ""
        if self._share is not None:
            rest = self.done / max(self._share(), 1e-9) - self.done
            left = f", about {clock(rest / rate)} left"
        logger.info("%d %s, %.1f a second%s", self.done, self._unit, rate, left)
