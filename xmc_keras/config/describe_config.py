"""The keys of a config, described for people."""

import dataclasses
import textwrap

from xmc_keras.config.config import Config
from xmc_keras.config.config_conflicts import KEYS_BY_SYSTEMS, SYSTEMS_OF
from xmc_keras.config.keys.config_key import describe_values, format_value


def describe_config():
    r"""Describes every key: the values that it accepts, its default, its meaning.

    Returns:
        String. First the keys of all systems, then those of some.

    Example:

    >>> text = describe_config()
    >>> print(*(line for line in text.splitlines() if "keys of" in line), sep="\n")
    keys of all systems:
    keys of lightxml and one_vs_all:
    keys of lightxml:
    keys of lightdxml:
    keys of one_vs_all:
    >>> print(*text.splitlines()[1:4], sep="\n")
    <BLANKLINE>
    system: lightxml or lightdxml or one_vs_all, default lightxml
        lightxml; lightdxml, which chooses negatives by label embeddings and can
    """
    fields = {field.name: field for field in dataclasses.fields(Config)}
    groups = {"all systems": [key for key in fields if key not in SYSTEMS_OF]}
    for systems, keys in KEYS_BY_SYSTEMS.items():
        groups[" and ".join(systems)] = keys
    return "\n\n".join(
        "\n".join([f"keys of {name}:", "", *(_describe(fields[key]) for key in keys)])
        for name, keys in groups.items()
    )


def _describe(field):
    required = field.default is dataclasses.MISSING
    default = "required" if required else f"default {format_value(field.default)}"
    separator = "; " if "," in describe_values(field) else ", "
    accepted = f"{field.name}: {describe_values(field)}{separator}{default}"
    indent = " " * 4
    return "\n".join(
        [
            *textwrap.wrap(accepted, 80, subsequent_indent=" " * 8),
            *textwrap.wrap(
                field.metadata["help"],
                80,
                initial_indent=indent,
                subsequent_indent=indent,
                break_on_hyphens=False,
            ),
        ]
    )
