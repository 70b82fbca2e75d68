"""CSV and TSV files with a line of column names."""

import csv

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.columns import Columns, row_error
from xmc_keras.data.formats.document import Document, TextRows, refuse, usable
from xmc_keras.files.atomic_files import atomic_write

LONGEST = 2**31 - 1  # characters of a cell
# All in quotes, because Python leaves out those around a carriage return.
WRITTEN = {"lineterminator": "\n", "quoting": csv.QUOTE_ALL}


class Table:
    r"""Documents of a CSV or TSV file, a row each, after a row of column names.

    Cells may stand in double quotes, and then hold separators, newlines, and double
    quotes written twice. A quote that is never closed is always an error: nobody can
    tell how many documents it swallows.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        columns: optional `Columns`. Defaults to those it finds by itself.
        delimiter: string. Defaults to tab where the name ends in `.tsv`, plain or
            compressed, and to comma elsewhere.
        quotes: bool. Defaults to `True`; otherwise `"` is a character as any other.
        skip: optional callable. Documents that cannot be used are left out, and this
            is called with the `BadInput` that says so. Defaults to `None`: it is
            raised.

    Attributes:
        share: float in [0, 1]. Of the file, what has been read.

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
        # A line that is not UTF-8 goes on to its row, which is then left out as one.
        self._rows = TextRows(path, errors="surrogateescape", ends=True)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        rows = self._records()
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
            elif usable(text, found, self.skip, self.path, line):
                yield Document(text, found, line)

    def _records(self):
        """Yields (first line, cells), or (line, what is wrong)."""
        csv.field_size_limit(LONGEST)  # for all of the program: there is no other way
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
                    "went into the cell. Close it, or use --no-quotes where quotes "
                    "have no meaning.",
                    self.path,
                    line,
                )
            if not isinstance(row, str) and not all(map(_is_utf8, row)):
                row = "Expected UTF-8. Received: other bytes."
            names = names or row
            yield line, row


def _is_utf8(cell):
    return cell.isascii() or not any("\udc80" <= c <= "\udcff" for c in cell)


def write_table(documents, path, delimiter=None, separator="|"):
    """Writes what `Table` reads with the same separator, and then renames it.

    Args:
        documents: iterable of `Document`.
        path: string or path; compressed where it ends in `.gz`.
        delimiter: string, as of `Table`.
        separator: string between labels.

    Raises:
        ValueError: a label has the separator in it.
    """
    delimiter = delimiter or ("\t" if ".tsv" in str(path)[-8:] else ",")
    with atomic_write(path) as file:
        rows = csv.writer(_Encoded(file), delimiter=delimiter, **WRITTEN)
        rows.writerow(["text", "labels"])
        for document in documents:
            if any(separator in name for name in document.labels):
                raise ValueError(
                    f"Expected labels without {separator!r}. Received: "
                    f"{document.labels}."
                )
            rows.writerow([document.text, separator.join(document.labels)])


class _Encoded:
    """What `csv.writer` writes text to."""

    def __init__(self, file):
        self._file = file

    def write(self, text):
        self._file.write(text.encode())
