"""Vocabularies in tables, and in lines of a label and its text."""

import csv
import re

from xmc_keras.data.formats.document import TextRows, one_space
from xmc_keras.data.preparing.vocabularies.choose_titles import (
    choose_language,
    choose_title,
    join_text,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.vocabulary import Vocabulary

# Names of columns. That of labels is the first of these which is there; `label` and
# `name` are titles next to another one.
NAMES = ("uri", "id", "uid", "label", "name")
TITLES = ("title", "label", "preflabel", "name")
TEXTS = ("altlabel", "text", "description", "definition", "content")
COLUMN = re.compile(r"([a-z]+?)(?:[_@]([a-z]{1,8}(?:-[a-z0-9]{1,8})*))?")
DELIMITERS = (",", ";", "\t", "|")
LONGEST_TITLE = 100  # characters of a text that is a title, too


def read_rows(path, language=None):
    r"""Reads a table of labels, with a first line of column names.

    The label is in the column uri, otherwise id, uid, label or name. Titles are in the
    columns title, label, prefLabel or name, and texts in altLabel, text, description,
    definition and content; any of them may have a language: `label_en`, as in Annif's
    vocabularies. A row without a title and a text is left out. Without a column of
    titles, a text of at most 100 characters in its first line has it as its title.

    Args:
        path: string or path. Plain, `.gz` or `.xz`; cells are separated by commas,
            semicolons, tabs or bars.
        language: optional string, see `read_vocabulary`.

    Returns:
        `Vocabulary`.

    Raises:
        BadInput: a column is missing, or a row is no CSV, has no label or one of an
            earlier row, or another number of cells.

    Reference: https://github.com/NatLibFi/Annif/wiki/Subject-vocabulary-formats
    """
    lines = list(TextRows(path, ends=True))
    columns, delimiter = _find_columns(lines[0][1])
    if columns is None:
        raise BadInput(
            f"Expected a column of labels ({', '.join(NAMES)}) and one of titles or "
            f"texts ({', '.join(TITLES + TEXTS)}), perhaps with a language, such as "
            f"label_en. Received: {lines[0][1].strip()!r:.100}.",
            path,
            1,
        )
    rows, codes = {}, []
    for line, cells in _parse(path, [text for _, text in lines[1:]], delimiter):
        if len(cells) != len(columns):
            received = f"{len(cells)}"
            message = f"Expected {len(columns)} cells. Received: {received}."
            raise BadInput(message, path, line)
        row = {"title": {}, "text": {}}
        for (kind, code), cell in zip(columns, cells):
            if kind == "name":
                name = _label(cell)
            elif kind is not None and cell.strip():
                row[kind].setdefault(code, []).append(cell.strip())
        if not name or name in rows:
            received = f"{name!r:.60} again" if name else "none"
            message = f"Expected each label once. Received: {received}."
            raise BadInput(message, path, line)
        rows[name] = row
        codes += [*row["title"], *(row["text"] if not row["title"] else ())]
    language = choose_language(codes, language, path)
    has_titles = any(kind == "title" for kind, _ in columns)
    found = Vocabulary()
    for name, row in rows.items():
        texts = [x for code, x in row["text"].items() if code in ("", language)]
        texts = [one for part in texts for one in part]
        title = ""
        if row["title"]:
            title = one_space(choose_title(row["title"], language)[0])
        text = join_text(title, *map(one_space, texts))
        if texts and not has_titles:
            title = _short(texts[0])
        _add(found, name, title, text)
    return found


def read_pairs(path):
    r"""Reads lines of a label, a tab and its text.

    In Annif's vocabularies a label is a URI in angle brackets, and the text its title;
    a third column, the notation, is not read, and a URI alone is a label that is no
    longer used. Of other labels a text of at most 100 characters is the title, too.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.

    Returns:
        `Vocabulary`.

    Raises:
        BadInput: a line has no label or no text, or a label that an earlier one has.
    """
    found, seen = Vocabulary(), set()
    for line, row in TextRows(path):
        if not row.strip():
            continue
        first, _, rest = row.partition("\t")
        name, is_uri = _label(first), first.strip().startswith("<")
        text = one_space(rest.partition("\t")[0] if is_uri else rest)
        if not name or not (text or is_uri):
            received = f"{row[:60]!r}"
            message = f"Expected a label, a tab and a text. Received: {received}."
            raise BadInput(message, path, line)
        if name in seen:
            message = f"Expected each label once. Received: {name!r:.60} again."
            raise BadInput(message, path, line)
        seen.add(name)
        _add(found, name, text if is_uri else _short(text), text)
    return found


def starts_with_names(path):
    """Whether the first line of a file has names of columns."""
    line = next(iter(TextRows(path)))[1]
    return _find_columns(line)[0] is not None


def _find_columns(line):
    """The kind and language of each column, and the delimiter; or `(None, ",")`."""
    for delimiter in DELIMITERS:
        try:
            names = next(csv.reader([line.strip("\r\n")], delimiter=delimiter), [])
        except csv.Error:  # such as a carriage return within the line
            continue
        parts = [COLUMN.fullmatch(name.strip().lower()) for name in names]
        parts = [(p[1], p[2] or "") if p else ("", "") for p in parts]
        labels = [(base, "") for base in NAMES if parts.count((base, "")) == 1]
        if not labels:
            continue
        columns = []
        for part in parts:
            kinds = {"name": part == labels[0], "title": part[0] in TITLES}
            kinds["text"] = part[0] in TEXTS
            kind = next((kind for kind, fits in kinds.items() if fits), None)
            columns.append((kind, part[1]))
        if any(kind in ("title", "text") for kind, _ in columns):
            return columns, delimiter
    return None, ","


def _parse(path, lines, delimiter):
    """Yields the first line and the cells of each row after the names of columns."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    end = 1
    while True:
        line = end + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            message = f"Expected CSV. Received: {error}."
            raise BadInput(message, path, line, "Correct the line.") from None
        end = reader.line_num + 1
        if any(cell.strip() for cell in cells):
            yield line, cells


def _label(cell):
    name = one_space(cell)
    return name[1:-1] if name.startswith("<") and name.endswith(">") else name


def _short(text):
    """The first line of a text, if it is short enough for a title."""
    first = one_space(text.strip().partition("\n")[0])
    return first if len(first) <= LONGEST_TITLE else ""


def _add(vocabulary, name, title, text):
    if title:
        vocabulary.titles[name] = title
    if text:
        vocabulary.texts[name] = text
