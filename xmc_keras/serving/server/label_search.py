"""Label names and titles of a version, and search among them."""

import logging
import re
import unicodedata
from pathlib import Path

import numpy as np

logger = logging.getLogger(__name__)

NAMES = "assets.extra/labels.txt"
TITLES = "assets.extra/label_titles.txt"
LONGEST = 200  # characters of a query that count
INSIDE = 10  # times the limit: hits among which those at the start of a word come first
# Accents, which NFKD separates from their letters.
ACCENTS = re.compile("[\u0300-\u036f]+")


class LabelSearch:
    r"""Finds labels by a part of their name or title, among millions of them.

    Names and titles are searched as one text each, from its start until there are
    enough hits: no index is built, and a search of a million labels takes a tenth of a
    second. Case and accents do not count. A label whose whole name or title is searched
    for comes first, then those that start with it, then those that have it at the start
    of a word, then the rest, each in the order of the labels.

    Args:
        names: bytes. The label names in UTF-8, one a line, in the order of their ids.
        titles: bytes. Their titles, one a line, empty where there is none. Defaults to
            `b""`: no titles.

    Example:

    >>> search = LabelSearch(b"q1\nq2\nq3\n", "Gemüse\n\nSea\n".encode())
    >>> search.find("gemuse")
    [{'name': 'q1', 'title': 'Gemüse'}]
    >>> search.find("Q", limit=2)
    [{'name': 'q1', 'title': 'Gemüse'}, {'name': 'q2', 'title': ''}]
    >>> search.titles_of(["q3", "q2", "other"])
    ['Sea', '', '']
    """

    def __init__(self, names, titles=b""):
        self._names = _Lines(names)
        self._titles = _Lines(titles)
        if len(self._titles) not in (0, len(self)):
            raise ValueError(
                f"Expected {len(self)} titles. Received: {len(self._titles)}."
            )
        self._ids = None

    @classmethod
    def read(cls, folder):
        """The `LabelSearch` of a version folder, without labels if it names none.

        Args:
            folder: string or path.
        """
        names, titles = (_read(Path(folder, name)) for name in (NAMES, TITLES))
        try:
            return cls(names, titles)
        except ValueError as error:
            logger.warning("%s: titles are left out. %s", Path(folder, TITLES), error)
            return cls(names)

    def __len__(self):
        return len(self._names)

    @property
    def has_titles(self):
        """Whether labels have titles, a bool."""
        return len(self._titles) > 0

    @property
    def names(self):
        """List of all label names, in the order of their ids."""
        return [self._names[number] for number in range(len(self))]

    def find(self, query, limit=20):
        """Finds labels by a part of their name or title.

        Args:
            query: string.
            limit: int. The most labels to return. Defaults to `20`.

        Returns:
            List of `{"name": ..., "title": ...}`, the best first.
        """
        query = _fold(" ".join(query[:LONGEST].split())).encode(errors="replace")
        if not query:
            return []
        found = {}  # label ids, in order
        for start, end in ((b"\n", b"\n"), (b"\n", b"")):
            for lines in (self._titles, self._names):
                for hit, _ in lines.find(start + query + end, len(start), limit):
                    found.setdefault(hit)
            if len(found) >= limit:
                break
        else:
            hits = [
                (not starts, number)
                for lines in (self._titles, self._names)
                for number, starts in lines.find(query, 0, INSIDE * limit)
            ]
            for _, number in sorted(hits):
                found.setdefault(number)
        return [self._describe(number) for number in list(found)[:limit]]

    def titles_of(self, names):
        """Titles of labels by name, `""` for those without.

        Args:
            names: list of strings.
        """
        if not self.has_titles:
            return [""] * len(names)
        if self._ids is None:
            self._ids = self._names.ids()
        found = [self._ids.get(name.encode(errors="replace")) for name in names]
        return ["" if number is None else self._titles[number] for number in found]

    def _describe(self, number):
        title = self._titles[number] if self.has_titles else ""
        return {"name": self._names[number], "title": title}


class _Lines:
    """Lines of UTF-8 as one text, and as one without case and accents."""

    def __init__(self, content):
        if content and not content.endswith(b"\n"):
            content += b"\n"
        self._content = content
        self._ends = _find_ends(content)
        folded = _fold(content.decode(errors="replace"))
        self._folded = b"\n" + folded.encode() if content else b""
        self._folded_ends = _find_ends(self._folded)

    def __len__(self):
        return len(self._ends)

    def __getitem__(self, number):
        start = self._ends[number - 1] + 1 if number else 0
        return self._content[start : self._ends[number]].decode(errors="replace")

    def find(self, part, offset, limit):
        """Yields `(number, starts a word)` of at most `limit` lines with `part`.

        `offset` is the place in `part` of a character of the line.
        """
        at = self._folded.find(part)
        while at >= 0 and limit:
            # The text begins with a line end of its own.
            number = int(np.searchsorted(self._folded_ends, at + offset)) - 1
            before = self._folded[at - 1 : at] if offset == 0 else b""
            yield number, not before.isalnum() and before < b"\x80"
            limit -= 1
            at = self._folded.find(part, self._folded_ends[number + 1])

    def ids(self):
        """Dictionary from lines, as bytes, to their numbers."""
        lines = self._content.split(b"\n")[:-1]
        return dict(zip(lines, range(len(lines))))


def _find_ends(content):
    return np.flatnonzero(np.frombuffer(content, np.uint8) == ord("\n"))


def _fold(text):
    if text.isascii():
        return text.lower()
    return ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold()


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
