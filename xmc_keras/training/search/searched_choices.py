"""Choices to search for the value of a key."""

import dataclasses

from xmc_keras.config.keys.config_key import format_value


@dataclasses.dataclass(frozen=True)
class SearchedChoices:
    """Some values, in no order. Optuna knows them by their texts.

    Args:
        values: tuple of at least two values, each once.

    Example:

    >>> choices = SearchedChoices((None, [14, 21]))
    >>> str(choices), choices.size, choices.value("[14, 21]")
    ('null,[14, 21]', 2, [14, 21])
    >>> choices.find(None), choices.find([7]) is None
    ('null', True)
    """

    values: tuple

    def __str__(self):
        return ",".join(self.texts)

    @property
    def texts(self):
        """The texts of the values, a list."""
        return [format_value(value) for value in self.values]

    @property
    def size(self):
        """How many values there are."""
        return len(self.values)

    @property
    def ends(self):
        """The values that a config must accept for it to accept all."""
        return self.values

    def distribution(self, optuna):
        """The distribution of Optuna."""
        return optuna.distributions.CategoricalDistribution(self.texts)

    def round(self, text):
        """A text that was drawn, as it is."""
        return text

    def draw(self, random):
        """A text drawn by a `random.Random`."""
        return random.choice(self.texts)

    def find(self, value):
        """What Optuna knows a value of the key by; None if it is no choice."""
        return format_value(value) if value in self.values else None

    def value(self, found):
        """The value of the key, of what Optuna knows it by."""
        return self.values[self.texts.index(found)]
