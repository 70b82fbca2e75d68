"""Options of the readers, and which formats read them."""

from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.data.formats.tables.table import check_delimiter
from xmc_keras.files.bad_input import BadInput

PREFIX = "__label__"
ROWS = ("csv", "tsv")
TABLES = (*ROWS, "parquet", "json", "datasets")
WITH_IDS = ("repository", "pecos", "pecos-tsv")
# The formats that read each option; an option is written with its value if it has one
# alone.
READ_BY = {
    "text_column": TABLES,
    "label_column": TABLES,
    "label_separator": TABLES,
    "group_column": TABLES,
    "labels": (*WITH_IDS, *TABLES),
    "delimiter": ROWS,
    "header=False": ROWS,
    "quotes=False": ROWS,
    "prefix": ("fasttext",),
    "uris=True": (*TABLES, "annif-folder"),
}


class Options:
    """Options of the readers.

    Args:
        text_column, label_column, label_separator: optional strings, see `Columns`.
        labels: optional string or path. The list of label names. Defaults to the file
            in the folder of the data, if there is one.
        delimiter: optional string. See `Table`.
        header: bool. See `Table`. Defaults to `True`.
        quotes: bool. See `Table`. Defaults to `True`.
        prefix: string. Prefix of labels in fastText files. Defaults to `"__label__"`.
        group_column: optional string, see `Columns`.
        uris: bool. Whether labels that have a URI and a name are named by the URI,
            and titled by the name. Defaults to `False`: the other way round.

    Attributes:
        columns: `Columns`.

    Example:

    >>> options = Options(prefix="#")
    >>> options.read_by("fasttext"), options.read_by("csv")
    (True, False)
    """

    def __init__(
        self,
        text_column=None,
        label_column=None,
        label_separator=None,
        labels=None,
        delimiter=None,
        header=True,
        quotes=True,
        prefix=PREFIX,
        group_column=None,
        uris=False,
    ):
        columns = text_column, label_column, label_separator, group_column
        self.columns, self.uris = Columns(*columns, uris), uris
        self.labels, self.prefix = labels, prefix
        self.delimiter = delimiter and check_delimiter(delimiter)
        self.header, self.quotes = header, quotes
        is_given = {
            "text_column": text_column is not None,
            "label_column": label_column is not None,
            "label_separator": label_separator is not None,
            "group_column": group_column is not None,
            "labels": labels is not None,
            "delimiter": delimiter is not None,
            "header=False": not header,
            "quotes=False": not quotes,
            "prefix": prefix != PREFIX,
            "uris=True": uris,
        }
        self._given = [option for option, given in is_given.items() if given]

    def read_by(self, format):
        """Whether a format reads each option that is given."""
        return all(format in READ_BY[option] for option in self._given)

    def check(self, format):
        """Raises `BadInput` for an option that a format does not read."""
        for option in self._given:
            if format not in READ_BY[option]:
                raise BadInput(
                    f"Expected options that {format} reads. Received: one that it "
                    "ignores.",
                    remedy=f"Leave out `{option}`, which is for "
                    f"{', '.join(READ_BY[option])}, or name another `format`.",
                )

    def separation(self, format):
        """How labels were separated, after reading: arguments of `find_warnings`."""
        columns, remedy = self.columns, None
        if format in TABLES and columns.split and not columns.vectors:
            remedy = "give it as `label_separator`"
        elif format in ("folder", "fasttext") and not columns.vectors:
            remedy = "write a space instead, or prepare a table or JSON lines"
        return {
            "separator": columns.separator,
            "remedy": remedy,
            "is_numbered": columns.vectors and self.labels is None,
            "ambiguous": columns.ambiguous,
        }
