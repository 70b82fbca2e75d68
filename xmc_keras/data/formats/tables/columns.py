"""Text and label columns of tables."""

import logging

from xmc_keras.data.formats.document import Document, is_usable, one_space, refuse
from xmc_keras.data.formats.tables.label_cell import parse_label_cell, parse_list
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

# Default column names.
TEXTS = ("text", "document", "abstract", "body")
TITLED = ("title", "content")
LABELS = (
    *("labels", "label", "tags", "categories"),
    *("subject_uris", "subjects", "subject_labels", "topics", "keywords"),
)
# What the cells of a column of its own for each label hold.
YES = {"1", "1.0", "1,0", "true", "yes", "y", "t", "x"}
NO = {"0", "0.0", "0,0", "false", "no", "n", "f", "", "nan", "none", "null", "<na>"}


class Columns:
    """The text and label columns of a table, and the format of its label cells.

    One label column holds the labels of each document, see `parse_label_cell`. Several
    label columns are one for each label: a document has the labels in whose columns it
    has 1, 1.0, true or yes, and not those with 0, 0.0, false, no or an empty cell.

    Args:
        text: optional string. Name of the text column, or several names separated by
            commas, whose texts are joined by spaces. Defaults to the first of text,
            document, abstract and body that exists, otherwise title and content.
        labels: optional string. Name of the label column, or several names separated by
            commas. Defaults to the first of labels, label, tags, categories,
            subject_uris, subjects, subject_labels, topics and keywords that exists.
        separator: optional string. Separator of the labels in a cell; `\\t` and `\\n`
            typed as two characters are a tab and a newline. Defaults to `None`: white
            space.
        group: optional string. Name of the column with the group of each document, see
            `Document`. Defaults to `None`, no groups.
        uris: bool. Whether objects with a URI are named by it. Defaults to `False`, by
            their label.

    Attributes:
        split: bool. Whether a cell has been split at the separator so far; others are
            lists.
        several: bool. Whether several label columns were chosen.
        ambiguous: string or `None`. The first cell of a split into several labels at
            white space, where other cells are lists.
        vectors: bool. Whether labels were found to be vectors, see `find_width`.
        titles: dictionary from URIs to labels, of objects that have both, with `uris`.

    Example:

    >>> columns = Columns(separator=";")
    >>> columns.choose(["id", "title", "content", "tags"], "train.csv")
    (['title', 'content'], ['tags'])
    >>> columns.names(["tags"], ["warm; big plant;"])
    ['warm', 'big plant']
    >>> columns.names(["warm", "big"], ["0", "1"])
    ['big']
    """

    def __init__(self, text=None, labels=None, separator=None, group=None, uris=False):
        if separator == "":
            raise ValueError("Expected `separator` to have a character. Received: ''.")
        self.text, self.labels, self.group = text, labels, group
        self.uris, self.titles = uris, {}
        self.separator = separator and separator.replace("\\t", "\t").replace(
            "\\n", "\n"
        )
        self.split = self.several = self.vectors = False
        self._notes, self._has_lists, self._words = set(), False, None

    def choose(self, names, path, line=None, kind="column", remedy=None):
        """Selects the text and label columns of a table.

        Args:
            names: list of strings. The column names of the table.
            path, line: file and line, for error messages.
            kind: string. What the names are called. Defaults to `"column"`.
            remedy: optional string, what else to do if a column is missing.

        Returns:
            `(texts, labels)`: two lists of column names.

        Raises:
            BadInput: a column is missing or occurs twice, or has texts and labels.
        """
        texts, labels = _split(self.text, names), _split(self.labels, names)
        if texts is None:
            texts = _known(TEXTS, names)[:1] or _known(TITLED, names)
        if labels is None:
            labels = _known(LABELS, names)[:1]
        there = f"Received: the {kind}s {', '.join(map(str, names))[:200]}."
        if both := [name for name in texts if name in labels]:
            raise BadInput(
                f"Expected texts and labels in different {kind}s. Received: "
                f"{both[0]!r} for both.",
                path,
                line,
                "Name the other one with `text_column` or `label_column`.",
            )
        options = [
            ("`text_column`", texts, TEXTS + TITLED),
            ("`label_column`", labels, LABELS),
        ]
        if self.group is not None:
            options.append(("`group_column`", [self.group], ()))
        for option, found, known in options:
            wrong = [name for name in found if names.count(name) != 1]
            if not found or wrong:
                wanted = (
                    f"{wrong[0]!r} once"
                    if wrong
                    else f"of {option[1:].partition('_')[0]}s"
                )
                looked = "" if wrong else f": {', '.join(known)}"
                raise BadInput(
                    f"Expected a {kind} {wanted}{looked}. {there}",
                    path,
                    line,
                    f"Name it with {option}.{' ' if remedy else ''}{remedy or ''}",
                )
        self.several = len(labels) > 1
        return texts, labels

    @property
    def ambiguous(self):
        return self._words if self._has_lists else None

    def note(self, message):
        """Logs a message, once."""
        if message not in self._notes:
            self._notes.add(message)
            logger.info("%s", message)

    def note_choice(self, path, texts, labels):
        """Logs the columns that `choose` selected, once for each file."""
        self.note(
            f"{path}: texts from {', '.join(texts)}, labels from {', '.join(labels)}"
        )

    def names(self, columns, values):
        """Parses the label names of a row.

        Args:
            columns: list of strings. The label columns.
            values: list of their cells, see `parse_label_cell`; of several columns,
                strings, ints, floats, bools or `None`.

        Returns:
            list of strings, or `None` if a cell has another content.
        """
        if len(columns) > 1:
            cells = [_text(value).lower() for value in values]
            if not all(cell in YES or cell in NO for cell in cells):
                return None
            return [name for name, cell in zip(columns, cells) if cell in YES]
        cell = values[0]
        titles = self.titles if self.uris else None
        names = parse_label_cell(cell, self.separator, titles)
        if names and not isinstance(cell, int):
            is_text = isinstance(cell, str) and parse_list(cell.strip()) is None
            self.split |= is_text
            self._has_lists |= not is_text
            if is_text and self.separator is None and len(names) > 1:
                self._words = self._words or cell
        return names

    def document(
        self, texts, columns, labels, skip, path, line, received=None, group=None
    ):
        """Makes the document of a row, or passes a `BadInput` to `skip`.

        Args:
            texts: list of cells, strings or `None` for an empty one.
            columns, labels: the label columns and their cells, see `names`.
            skip, path, line: see `refuse`.
            received: optional list of cells, for the message instead of `labels`.
            group: optional string or integer. The cell of the group, if there is such a
                column.

        Returns:
            `Document`, or `None`.
        """
        names = self.names(columns, labels)
        is_named = isinstance(group, str | int) and str(group).strip()
        if not all(text is None or isinstance(text, str) for text in texts):
            message = "Expected a string in the text column. Received: another value."
            refuse(skip, message, path, line)
        elif names is None:
            refuse(skip, _label_error(columns, received or labels), path, line)
        elif self.group is not None and not is_named:
            received = "an empty cell" if group in (None, "") else f"{group!r:.60}"
            message = f"Expected the name or number of a group. Received: {received}."
            refuse(skip, message, path, line)
        else:
            text = " ".join(text for text in texts if text)
            if is_usable(text, names, skip, path, line):
                group = "" if self.group is None else one_space(str(group))
                return Document(text, names, line, group=group)
        return None


def _split(names, there):
    """Names separated by commas; one of a column may have a comma itself."""
    if not names:
        return None
    return [names] if names in there else [name.strip() for name in names.split(",")]


def _known(known, names):
    """The default names that are there, whatever their case."""
    return [name for one in known for name in names if name.lower() == one]


def _text(value):
    return "" if value is None else str(value).strip()


def _label_error(columns, values):
    """Message for the cells of a row for which `Columns.names` is `None`."""
    if len(columns) > 1:
        cells = [_text(value) for value in values]
        wrong = next(i for i, c in enumerate(cells) if c.lower() not in YES | NO)
        return (
            "Expected 0 or 1 in each of several label columns. Received: "
            f"{cells[wrong][:60]!r} in {columns[wrong]!r}."
        )
    return (
        "Expected labels: strings with separators, or a list of strings or label ids, "
        f'such as ["a", "b"]. Received: {str(values[0])[:60]!r}.'
    )
