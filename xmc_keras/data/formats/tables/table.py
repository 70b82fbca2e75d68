"""CSV and TSV files."""

import contextlib
import csv
import itertools
import json
import re

from xmc_keras.data.formats.document import TextRows, refuse
from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.data.formats.tables.label_cell import parse_label_cell
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[,;\s]*', re.IGNORECASE)  # of Excel
REMEDY = (
    "The first line has to hold the names of the columns: for a file without them pass "
    "`header=False` and give columns by number, from 1. For cells that another "
    "character separates pass `delimiter`."
)
# Errors of `csv`, and what was received then.
ERRORS = {
    "new-line": "a carriage return outside quotes, as in files with CR line ends",
    "expected after": "a quote within a cell in quotes that is not doubled",
    "unexpected end": "the end of the file within quotes",
}
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
        delimiter: optional string, a character between cells. By default that of a
            first line `sep=;`, or a tab if the name ends in `.tsv`, possibly followed
            by `.gz` or `.xz`, otherwise a comma; another one of comma, semicolon, tab
            and bar if it alone gives the first line the columns.
        quotes: bool. Whether `"` has a meaning, otherwise it is an ordinary character.
            Defaults to `True`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.
        header: bool. Whether the first row has the names of the columns, otherwise
            they are numbers from 1. Defaults to `True`.

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

    def __init__(
        self, path, columns=None, delimiter=None, quotes=True, skip=None, header=True
    ):
        self.path, self.columns, self.skip = path, columns or Columns(), skip
        self.quotes, self.header = quotes, header
        self.delimiter = delimiter and check_delimiter(delimiter)
        # Bytes that are not UTF-8 are decoded to surrogates, so that the whole row is
        # refused and not only one of its lines.
        self._rows = TextRows(path, errors="surrogateescape", ends=True)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        # Closed here, because a row that raises an error leaves the file open.
        with contextlib.closing(iter(self._rows)) as rows:
            yield from self._documents(text for _, text in rows)

    def _documents(self, lines):
        start, delimiter, offset = _read_start(lines), self.delimiter, 0
        if start and (given := SEPARATOR_LINE.fullmatch(start[-1])):
            delimiter, offset = delimiter or given[1], len(start)
            start = _read_start(lines)
        delimiter = delimiter or self._guess_delimiter(start)
        rows = self._parse_rows(itertools.chain(start, lines), delimiter, offset)
        line, row = next(rows, (1, "Expected column names. Received: none."))
        if isinstance(row, str):
            raise BadInput(row, self.path, line)
        names = self._names(row)
        texts, labels = self.columns.choose(names, self.path, line, remedy=REMEDY)
        self.columns.note_choice(self.path, texts, labels)
        group = [] if self.columns.group is None else [self.columns.group]
        chosen = (texts, labels, group)
        places = [[names.index(name) for name in found] for found in chosen]
        if not self.header:
            rows = itertools.chain([(line, row)], rows)
        end, header = line, self.header and row
        for line, row in rows:
            if row == header:
                row = "Expected a document. Received: the column names again."
            if isinstance(row, str):
                refuse(self.skip, row, self.path, line)
                continue
            cells = [[row[place] for place in found] for found in places]
            place = self.skip, self.path, line
            found = self.columns.document(
                *(cells[0], labels, cells[1]), *place, group="".join(cells[2])
            )
            if found is not None:
                yield found
        if self.header and line == end:
            raise BadInput(
                "Expected rows after the column names. Received: none.",
                self.path,
                remedy="Give the file that has the documents.",
            )

    def _names(self, row):
        if self.header:
            return [name.strip() for name in row]
        return [str(n) for n in range(1, len(row) + 1)]

    def _guess_delimiter(self, start):
        """The delimiter that gives the first line the columns; the usual one first."""
        usual = "\t" if ".tsv" in str(self.path)[-8:] else ","
        for delimiter in dict.fromkeys([usual, *DELIMITERS]):
            try:
                row = next(csv.reader(start[-1:], delimiter=delimiter), [])
                self.columns.choose(self._names(row), self.path)
            except (csv.Error, BadInput):
                continue
            if delimiter != usual:
                self.columns.note(f"{self.path}: the delimiter is {delimiter!r}")
            return delimiter
        return usual

    def _parse_rows(self, lines, delimiter, offset):
        """Yields (first line, cells), or (first line, error message).

        Args:
            lines: iterable of strings.
            delimiter: string.
            offset: int. Number of lines of the file before these.
        """
        csv.field_size_limit(LONGEST)  # global: `csv` has no other way
        reader = csv.reader(
            lines,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            strict=True,
        )
        end, names = offset, None
        while True:
            line = end + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                found = next((w for e, w in ERRORS.items() if e in str(error)), error)
                row = f"Expected CSV. Received: {found}."
            end = reader.line_num + offset
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
                row = (
                    "Expected UTF-8. Received: invalid bytes, as in Latin-1 or "
                    "Windows-1252 (convert the file: iconv -f WINDOWS-1252 -t UTF-8)."
                )
            names = names or row
            yield line, row


def check_delimiter(delimiter):
    r"""The delimiter, a tab for `\t` typed as two characters; or raises `BadInput`."""
    found = delimiter.replace("\\t", "\t")
    if len(found) != 1 or found in '\r\n"':
        raise BadInput(
            "Expected a delimiter of one character, or \\t for a tab. Received: "
            f"{delimiter!r}.",
            remedy="Give another `delimiter`.",
        )
    return found


def _read_start(lines):
    """The lines up to the first one that is not empty."""
    start = []
    for text in lines:
        start.append(text)
        if text.strip():
            break
    return start


def _is_utf8(cell):
    return cell.isascii() or not any("\udc80" <= c <= "\udcff" for c in cell)


def write_table(documents, path, delimiter=None, separator="|"):
    """Writes a file for `Table` with `Columns(separator=separator)`, atomically.

    Labels that contain the separator, or would be read otherwise, become a JSON list.

    Args:
        documents: iterable of `Document`.
        path: string or path. Compressed if it ends in `.gz`.
        delimiter: optional string. See `Table`.
        separator: string. Separator of the labels in a cell. Defaults to `"|"`.
    """
    delimiter = delimiter or ("\t" if ".tsv" in str(path)[-8:] else ",")
    with atomic_write(path) as file:
        rows = csv.writer(_Encoder(file), delimiter=delimiter, **DIALECT)
        rows.writerow(["text", "labels"])
        for document in documents:
            cell = separator.join(document.labels)
            if parse_label_cell(cell, separator) != document.labels:
                cell = json.dumps(document.labels)
            rows.writerow([document.text, cell])


class _Encoder:
    """A text file for `csv.writer` over a binary file, in UTF-8."""

    def __init__(self, file):
        self._file = file

    def write(self, text):
        self._file.write(text.encode())
