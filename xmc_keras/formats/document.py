"""A document as the readers of data sets yield it."""

from typing import NamedTuple


class Document(NamedTuple):
    """A text with the names of its labels, and where it came from.

    Args:
        text: string, with a character that is no white space. Some formats can hold
            a newline in it.
        labels: list of strings, at least one.
        line: int. Its first line in the file, from 1; or its row, from 1, where a
            format has no lines.
        filtered: sequence of strings. Labels that evaluation leaves out of
            predictions and of what is relevant: of filter files of the Extreme
            Classification Repository. Defaults to none.

    Example:

    >>> Document("red rose", ["plant"], 1).labels
    ['plant']
    """

    text: str
    labels: list[str]
    line: int
    filtered: tuple = ()


def one_space(name):
    r"""A label's name with single spaces for white space of any kind.

    Example:

    >>> one_space(" Science\n fiction")
    'Science fiction'
    """
    return " ".join(name.split())
