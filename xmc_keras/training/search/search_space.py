"""The values that a search tries for keys of a config."""

import dataclasses
import itertools
import math
import random
import re

import numpy as np

from xmc_keras.config.config_file import FIELDS, read_setting
from xmc_keras.config.keys.config_key import format_value, number_type
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.search.searched_choices import SearchedChoices
from xmc_keras.training.search.searched_range import SearchedRange

# With other documents to validate on, P@5 of two trials could not be compared.
FIXED = ("data", "seed", "split_seed", "validation_documents", "validation_by")
# Combinations of ends and choices that are checked before the first trial.
CHECKED = 10_000
LIST = r"\[(?:[^\[\]]|\[[^\]]*\])*\]"  # also of lists
CHOICE = re.compile(rf"""\s*("[^"]*"|'[^']*'|{LIST}|[^,]*?)\s*(?:,|$)""")
FORMS = "a range of numbers (low..high) or choices (a,b,c)"


class SearchSpace:
    """Ranges and choices for keys of a config.

    Args:
        texts: list of strings, `"key=low..high"` with numbers, or `"key=a,b,c"` with
            values as in `load_config`'s overrides.

    Attributes:
        keys: dictionary of keys to `SearchedRange` or `SearchedChoices`.

    Raises:
        BadInput: a key is unknown, given twice, or changes the validation split; a
            value is not one of the key; or there are fewer than two values.

    Example:

    >>> space = SearchSpace(["learning_rate=1e-4..1e-2", "epochs=2,4,8"])
    >>> space.size, str(space.keys["epochs"])
    (inf, '2,4,8')
    >>> SearchSpace(["epochs=2,four"])
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: setting epochs=four: Expected epochs to be ...
    """

    def __init__(self, texts):
        self.keys = {}
        for text in texts:
            key, values = _read(text)
            if key in self.keys:
                raise BadInput(
                    f"Expected each key once. Received: {key} twice.", f"search {text}"
                )
            self.keys[key] = values

    @property
    def size(self):
        """How many combinations there are; infinity with a range of floats."""
        return math.prod(values.size for values in self.keys.values())

    @property
    def texts(self):
        """Dictionary of keys to the texts of their values, whatever was typed."""
        return {key: str(values) for key, values in self.keys.items()}

    def check(self, config):
        """Raises `BadInput` if a config does not accept the values.

        Tried are the ends of ranges and the choices, all combinations up to 10,000.
        """
        ends = [values.ends for values in self.keys.values()]
        for values in itertools.islice(itertools.product(*ends), CHECKED):
            self.replace(config, dict(zip(self.keys, values)))

    def replace(self, config, values):
        """The config with other values; raises `BadInput` if they exclude each other.

        Args:
            config: a `Config`.
            values: dictionary of keys to values.
        """
        try:
            return dataclasses.replace(config, **values)
        except ValueError as error:
            raise BadInput(str(error), f"search {format_values(values)}") from None

    def values(self, params):
        """Dictionary of keys to values, of the parameters that Optuna knows."""
        return {key: self.keys[key].value(found) for key, found in params.items()}

    def of_config(self, config):
        """The parameters of a config's own values, as far as they are searched."""
        found = {k: v.find(getattr(config, k)) for k, v in self.keys.items()}
        return {key: param for key, param in found.items() if param is not None}

    def propose(self, trials, seed):
        """Proposes the parameters of the next trial by TPE, Optuna's usual sampler.

        The proposal depends on the arguments alone, so that a search that was
        interrupted goes on as if it had not been. A combination that was tried is
        replaced by a random one, because training it again gives the same.

        Args:
            trials: list of Optuna's trials so far.
            seed: int.

        Returns:
            Dictionary of keys to parameters of Optuna.
        """
        optuna = import_optuna()
        # Of both numbers, so that no two searches draw the same later.
        seed = int(np.random.SeedSequence([seed, len(trials)]).generate_state(1)[0])
        sampler = optuna.samplers.TPESampler(seed=seed)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.add_trials([trial for trial in trials if trial.state.is_finished()])
        kinds = {key: v.distribution(optuna) for key, v in self.keys.items()}
        drawn = study.ask(kinds).params
        params = {key: v.round(drawn[key]) for key, v in self.keys.items()}
        tried = [trial.params for trial in trials]
        if self.size < math.inf:
            generator = random.Random(seed)
            while params in tried:
                params = {key: v.draw(generator) for key, v in self.keys.items()}
        return params


def import_optuna():
    """Imports Optuna, and leaves the log to this package.

    Raises:
        BadInput: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise BadInput(
            f"Expected the package optuna. Received: no {error.name}.",
            remedy="Run: pip install 'xmc-keras[search]'",
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def format_values(values):
    """Formats values as settings, `"epochs=4 batch_size=32"`.

    Args:
        values: dictionary of keys to values.
    """
    return " ".join(f"{key}={format_value(value)}" for key, value in values.items())


def _read(text):
    """The key of a text, and its range or choices."""
    place = f"search {' '.join(text.splitlines())}"
    key, equals, values = text.partition("=")
    key, values = key.strip(), values.strip()
    if not key or not equals:
        raise BadInput(
            f"Expected key=values, with {FORMS}, such as learning_rate=1e-4..1e-2 or "
            "epochs=2,4,8.",
            place,
        )
    if key in FIXED:
        raise BadInput(
            f"Expected a key that changes the model alone. Received: {key}, which "
            "changes the documents that P@5 is measured on.",
            place,
            remedy="Set one value for all trials.",
        )
    texts = [match[1] for match in CHOICE.finditer(values + ",")][:-1]
    numeric = key in FIELDS and number_type(FIELDS[key]) is not None
    if numeric and len(texts) == 1 and ".." in values:
        ends = [read_setting(f"{key}={end}")[1] for end in values.split("..", 1)]
        if None in ends or not ends[0] < ends[1]:
            raise BadInput(
                f"Expected a range from a number to a higher one. Received: {values}.",
                place,
            )
        return key, SearchedRange(*ends)
    choices = SearchedChoices(tuple(read_setting(f"{key}={t}")[1] for t in texts))
    if len(set(choices.texts)) < max(2, choices.size):
        raise BadInput(
            f"Expected {FORMS}, at least two values, each once. Received: {values}.",
            place,
        )
    return key, choices
