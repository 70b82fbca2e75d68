"""The keys of a config, described for people."""

import dataclasses
import textwrap

from xmc_keras.config.config import Config
from xmc_keras.config.config_conflicts import SYSTEM_KEYS
from xmc_keras.config.config_key import describe_values, format_value


def describe_config():
    r"""Describes every key: the values that it accepts, its default, its meaning.

    Returns:
        String. First the keys of both systems, then those of each.

    Example:

    >>> text = describe_config()
    >>> [line for line in text.splitlines() if line.startswith("keys of")]
    ['keys of both systems:', 'keys of lightxml:', 'keys of lightdxml:']
    >>> print(*text.splitlines()[1:4], sep="\n")
    <BLANKLINE>
    system: lightxml or lightdxml, default lightxml
        lightxml, or lightdxml, which chooses negatives by label embeddings and can
    """
    only = {key for keys in SYSTEM_KEYS.values() for key in keys}
    fields = {field.name: field for field in dataclasses.fields(Config)}
    groups = {"both systems": [key for key in fields if key not in only], **SYSTEM_KEYS}
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
