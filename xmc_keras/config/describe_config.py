"""The keys of a recipe, for people."""

import dataclasses
import textwrap

from xmc_keras.config.config import Config
from xmc_keras.config.config_key import describe_values, format_value


def describe_config():
    r"""The keys with what they accept, their defaults and their meaning, as text.

    Example:

    >>> print(*describe_config().splitlines()[-4:], sep="\n")
    propensity_b: a number above 0, default 1.5
        B of the inverse propensity.
    num_predictions: an integer of at least 5, default 100
        Labels scored and kept per document.
    """
    lines = []
    for field in dataclasses.fields(Config):
        required = field.default is dataclasses.MISSING
        default = "required" if required else f"default {format_value(field.default)}"
        separator = "; " if "," in describe_values(field) else ", "
        accepted = f"{field.name}: {describe_values(field)}{separator}{default}"
        lines += textwrap.wrap(accepted, 80, subsequent_indent=" " * 8)
        indent = " " * 4
        lines += textwrap.wrap(
            field.metadata["help"],
            80,
            initial_indent=indent,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
