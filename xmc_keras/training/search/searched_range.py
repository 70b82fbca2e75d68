"""A range of numbers to search for the value of a key."""

import dataclasses
import math

# From this factor between its ends on, a range is searched by orders of magnitude.
LOG_FACTOR = 10


@dataclasses.dataclass(frozen=True)
class SearchedRange:
    """All numbers between two ends, which belong to it.

    Numbers are drawn log-uniformly if the range is above 0 and its ends are a factor
    of ten or more apart, otherwise uniformly. They are rounded to about a thousandth of
    the range, so that what is trained can be written down.

    Args:
        low, high: int or float, `low` below `high`. Integers are a range of integers.

    Example:

    >>> SearchedRange(1e-4, 1e-2).log, SearchedRange(0.1, 0.5).log
    (True, False)
    >>> SearchedRange(1e-4, 1e-2).round(0.00123456), SearchedRange(2, 8).round(5)
    (0.00123, 5)
    >>> str(SearchedRange(2, 8)), SearchedRange(2, 8).size
    ('2..8', 7)
    """

    low: int | float
    high: int | float

    def __str__(self):
        return f"{self.low}..{self.high}"

    @property
    def log(self):
        """Whether numbers are drawn log-uniformly, a bool."""
        return self.low > 0 and self.high >= LOG_FACTOR * self.low

    @property
    def size(self):
        """How many values there are; infinity for floats."""
        return self.high - self.low + 1 if isinstance(self.low, int) else math.inf

    @property
    def ends(self):
        """The values that a config must accept for it to accept all."""
        return self.low, self.high

    def distribution(self, optuna):
        """The distribution of Optuna."""
        kinds = optuna.distributions
        kind = kinds.FloatDistribution
        if isinstance(self.low, int):
            kind = kinds.IntDistribution
        return kind(self.low, self.high, log=self.log)

    def round(self, number):
        """A number that was drawn, with the digits that matter."""
        if isinstance(self.low, int):
            return int(number)
        scale = number if self.log else self.high - self.low
        digits = (2 if self.log else 3) - math.floor(math.log10(scale))
        return min(max(round(float(number), digits), self.low), self.high)

    def draw(self, random):
        """A number drawn by a `random.Random`, of a range of integers."""
        return random.randint(self.low, self.high)

    def find(self, value):
        """What Optuna knows a value of the key by; None if it is not in the range."""
        known = value is not None and self.low <= value <= self.high
        return type(self.low)(value) if known else None

    def value(self, found):
        """The value of the key, of what Optuna knows it by."""
        return found
