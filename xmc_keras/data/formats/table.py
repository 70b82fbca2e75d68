"""CSV and TSV files."""

import csv

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.columns import Columns, row_error
from xmc_keras.data.formats.document import Document, TextRows, is_usable, refuse
from xmc_keras.files.atomic_files import atomic_write

LONGEST = 2**31 - 1  # maximum number of characters of a cell
# Quotes around every cell, because Python omits them around a carriage return.
DIALECT = {"lineterminator": "\n", "quoting": csv.QUOTE_ALL}


class Table:
    r"""Documents of a CSV or TSV file, one per row, after a row of column names.

    Cells may be in double quotes, and then contain separators, newlines, and doubled
    double quotes. A quote that is never closed is always an error, because it is
    unknown how many documents it swallows.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        columns: optional `Columns`. Defaults to `Columns()`.
        delimiter: optional string. Defaults to a tab if the name ends in `.tsv`,
            possibly followed by `.gz` or `.xz`, otherwise a comma.
        quotes: bool. Whether `"` has a meaning, otherwise it is an ordinary character.
            Defaults to `True`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, columns are missing, or,
            without `skip`, a document cannot be used.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.csv")
    ...     _ = path.write_text('id,text,labels\n7,"red, rose",warm plant\n')
    ...     [(document.text, document.labels) for document in Table(path)]
    [('red, rose', ['warm', 'plant'])]
    """

    def __init__(self, path, columns=None, delimiter=None, quotes=True, skip=None):
        self.path, self.columns, self.skip = path, columns or Columns(), skip
        self.quotes = quotes
        tabs = ".tsv" in str(path)[-8:]
        self.delimiter = delimiter or ("\t" if tabs else ",")
        # Bytes that are not UTF-8 are decoded to surrogates, so that the whole row is
        # refused and not only one of its lines.
        self._rows = TextRows(path, errors="surrogateescape", ends=True)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        rows = self._parse_rows()
        line, names = next(rows, (1, "Expected column names. Received: none."))
        if isinstance(names, str):
            raise BadInput(names, self.path, line)
        texts, labels = self.columns.choose(names, self.path, line)
        text_places, label_place = [names.index(n) for n in texts], names.index(labels)
        for line, row in rows:
            if isinstance(row, str):
                refuse(self.skip, row, self.path, line)
                continue
            text = self.columns.join([row[place] for place in text_places])
            found = self.columns.names(row[label_place])
            if found is None:
                message = row_error(text, found, row[label_place])
                refuse(self.skip, message, self.path, line)
            elif is_usable(text, found, self.skip, self.path, line):
                yield Document(text, found, line)

    def _parse_rows(self):
        """Yields (first line, cells), or (first line, error message)."""
        csv.field_size_limit(LONGEST)  # global: `csv` has no other way
        reader = csv.reader(
            (text for _, text in self._rows),
            delimiter=self.delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            strict=True,
        )
        end, names = 0, None
        while True:
            line = end + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                row = f"Expected CSV. Received: {error}."
            end = reader.line_num
            if row == []:  # an empty line
                continue
            if not isinstance(row, str) and names and len(row) != len(names):
                row = f"Expected {len(names)} cells. Received: {len(row)}."
            if isinstance(row, str) and end > line:
                raise BadInput(
                    f"{row} A quote opens in this line, and {end - line} more lines "
                    "went into the cell.",
                    self.path,
                    line,
                    "Close it, or pass `quotes=False` if quotes have no meaning.",
                )
            if not isinstance(row, str) and not all(map(_is_utf8, row)):
                row = "Expected UTF-8. Received: invalid bytes."
            names = names or row
            yield line, row


def _is_utf8(cell):
    return cell.isascii() or not any("\udc80" <= c <= "\udcff" for c in cell)


def write_table(documents, path, delimiter=None, separator="|"):
    """Writes a file for `Table` with `Columns(separator=separator)`, atomically.

    Args:
        documents: iterable of `Document`.
        path: string or path. Compressed if it ends in `.gz`.
        delimiter: optional string. See `Table`.
        separator: string. Separator of the labels in a cell. Defaults to `"|"`.

    Raises:
        ValueError: a label contains the separator.
    """
    delimiter = delimiter or ("\t" if ".tsv" in str(path)[-8:] else ",")
    with atomic_write(path) as file:
        rows = csv.writer(_Encoder(file), delimiter=delimiter, **DIALECT)
        rows.writerow(["text", "labels"])
        for document in documents:
            if any(separator in name for name in document.labels):
                raise ValueError(
                    f"Expected labels without {separator!r}. Received: "
                    f"{document.labels}."
                )
            rows.writerow([document.text, separator.join(document.labels)])


class _Encoder:
    """A text file for `csv.writer` over a binary file, in UTF-8."""

    def __init__(self, file):
        self._file = file

    def write(self, text):
        self._file.write(text.encode())
