"""Text and label columns of tables."""

import json

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.document import one_space

# Default column names.
TEXTS = ("text", "document", "abstract", "body")
TITLED = ("title", "content")
LABELS = ("labels", "label", "tags", "categories")


class Columns:
    """The text and label columns of a table, and the format of its label cells.

    Args:
        text: optional string. Name of the text column, or several names separated by
            commas, whose texts are joined by spaces. Defaults to the first of text,
            document, abstract and body that exists, otherwise title and content.
        labels: optional string. Name of the label column. Defaults to the first of
            labels, label, tags and categories that exists.
        separator: optional string. Separator of the labels in a cell. Defaults to
            `None`: white space, or a JSON list if the cell begins with `[`.

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
        """Selects the text and label columns of a table.

        Args:
            names: list of strings. The column names of the table.
            path, line: file and line, for error messages.

        Returns:
            `(texts, labels)`: a list of column names, and a column name.

        Raises:
            BadInput: a column is missing or occurs twice.
        """
        texts = self.text.split(",") if self.text else None
        if texts is None:
            texts = [name for name in TEXTS if name in names][:1]
            texts = texts or [name for name in TITLED if name in names]
        labels = self.labels or next((name for name in LABELS if name in names), None)
        for option, found in (("text", texts), ("label", [labels] if labels else [])):
            wrong = [name for name in found if names.count(name) != 1]
            if not found or wrong:
                wanted = (
                    f"{wrong[0]!r} once" if wrong else f"with a known {option} name"
                )
                raise BadInput(
                    f"Expected a column {wanted}. Received: the columns "
                    f"{', '.join(map(str, names))[:200]}. Name it with "
                    f"--{option}-column.",
                    path,
                    line,
                )
        return texts, labels

    def names(self, value):
        """Parses the label names in a cell.

        Args:
            value: string, list of strings or ints, int, or `None` for no label.

        Returns:
            list of strings, or `None` if the cell has another content.
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
        elif hasattr(value, "tolist"):  # NumPy array
            value = value.tolist()
        if not isinstance(value, list | tuple):
            return None
        if not all(isinstance(name, str) or type(name) is int for name in value):
            return None
        names = [one_space(str(name)) for name in value]
        return [name for name in names if name]

    def join(self, texts):
        """Joins the text cells of a document.

        Args:
            texts: list of cells, strings or `None` for an empty one.

        Returns:
            string, or `None` if a cell has another content.
        """
        if not all(text is None or isinstance(text, str) for text in texts):
            return None
        return " ".join(text for text in texts if text)


def row_error(text, labels, row):
    """Message for a row for which `Columns.join` or `Columns.names` is `None`."""
    if text is None:
        return "Expected a string in the text column. Received: another value."
    return (
        "Expected labels: a list of strings, or strings with separators. "
        f"Received: {str(row)[:60]!r}."
    )
