"""Which columns of a table are text and labels, and how labels stand in one."""

import json

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.document import one_space

# What is taken where nobody says.
TEXTS = ("text", "document", "abstract", "body")
TITLED = ("title", "content")
LABELS = ("labels", "label", "tags", "categories")


class Columns:
    """The columns of a table that a document is made of.

    Args:
        text: optional string. Name of the column of texts, or several with commas
            between, whose texts are joined by spaces. Defaults to the first of text,
            document, abstract and body that is there, or else title and content.
        labels: optional string. Name of the column of labels. Defaults to the first of
            labels, label, tags and categories that is there.
        separator: optional string between the labels of a cell. Defaults to white
            space; a cell that begins with `[` is a JSON list.

    Example:

    >>> columns = Columns(separator=";")
    >>> columns.choose(["id", "title", "content", "tags"], "train.csv")
    (['title', 'content'], 'tags')
    >>> columns.names("warm; big plant;"), Columns().names('["big plant"]')
    (['warm', 'big plant'], ['big plant'])
    """

    def __init__(self, text=None, labels=None, separator=None):
        if separator == "":
            raise ValueError("Expected `separator` to have a character. Received: ''.")
        self.text, self.labels, self.separator = text, labels, separator

    def choose(self, names, path, line=None):
        """Finds the columns by their names.

        Args:
            names: list of strings, those of the table.
            path, line: for messages.

        Returns:
            `(texts, labels)`, a list of names and a name.

        Raises:
            BadInput: a column is not there, or there twice.
        """
        texts = self.text.split(",") if self.text else None
        if texts is None:
            texts = [name for name in TEXTS if name in names][:1]
            texts = texts or [name for name in TITLED if name in names]
        labels = self.labels or next((name for name in LABELS if name in names), None)
        for option, found in (("text", texts), ("label", [labels] if labels else [])):
            wrong = [name for name in found if names.count(name) != 1]
            if not found or wrong:
                wanted = f"{wrong[0]!r} once" if wrong else f"of a known {option} name"
                raise BadInput(
                    f"Expected a column {wanted}. Received: the columns "
                    f"{', '.join(map(str, names))[:200]}. Name it with "
                    f"--{option}-column.",
                    path,
                    line,
                )
        return texts, labels

    def names(self, value):
        """The label names in a cell, or None if it holds no such thing.

        Args:
            value: string, list of strings or ints, int, or None for no label.
        """
        if isinstance(value, str):
            if self.separator is not None:
                value = value.split(self.separator)
            elif value.lstrip().startswith("["):
                try:
                    value = json.loads(value)
                except (ValueError, RecursionError):
                    return None
            else:
                return value.split()
        elif value is None:
            return []
        elif type(value) is int:
            value = [value]
        elif hasattr(value, "tolist"):  # of NumPy
            value = value.tolist()
        if not isinstance(value, list | tuple):
            return None
        if not all(isinstance(name, str) or type(name) is int for name in value):
            return None
        names = [one_space(str(name)) for name in value]
        return [name for name in names if name]

    def join(self, texts):
        """The text of a document, or None if a value is none.

        Args:
            texts: list of strings, or None for an empty cell.
        """
        if not all(text is None or isinstance(text, str) for text in texts):
            return None
        return " ".join(text for text in texts if text)


def row_error(text, labels, row):
    """What is wrong where `Columns.join` or `Columns.names` gave None."""
    if text is None:
        return "Expected a string in the column of texts. Received: another value."
    return (
        "Expected labels: strings in a list, or in a cell with separators between. "
        f"Received: {str(row)[:60]!r}."
    )
