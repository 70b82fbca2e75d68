"""Text and label files with one document per line, as in AttentionXML."""

import contextlib
import itertools
import re
from pathlib import Path

from xmc_keras.data.formats.document import Document, refuse
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest
from xmc_keras.files.text_file import TextFile

# What a line of each file has; a document has one in each.
EXPECTED = {
    "texts": "a text",
    "labels": "labels separated by white space",
    "filter": "labels separated by white space",
    "groups": "a group",
}
# A list of strings, as JSON and Python write it.
LIST = re.compile(r"""\s*\[\s*(["']).*\1\s*\]\s*""")


class FolderPart:
    r"""Documents in the format of AttentionXML, LightXML and this project.

    Each file has one line per document and is plain, `.gz` or `.xz`.

    Args:
        texts_path: string or path. The texts.
        labels_path: string or path. The labels of each text, separated by white space.
        skip: optional callable. Called with the `BadInput` of a document without text
            or labels or with invalid UTF-8, which is left out. Defaults to `None`: the
            error is raised.
        filter_path: optional string or path. The labels that evaluation leaves out for
            each text, separated by white space; a line may be empty. Defaults to
            `None`.
        groups_path: optional string or path. The group of each text. Defaults to
            `None`.

    Attributes:
        path: the file of the labels.
        share: float in [0, 1]. Fraction of the text file that has been read.

    Raises:
        BadInput: a file is missing, empty or damaged, the numbers of lines differ, or,
            without `skip`, a document cannot be used.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     documents = [Document("red rose", ["warm", "plant"], 1)]
    ...     paths = write_folder(documents, folder, "train")
    ...     list(FolderPart(*paths)) == documents
    True
    """

    def __init__(
        self, texts_path, labels_path, skip=None, filter_path=None, groups_path=None
    ):
        self.skip, self._texts = skip, None
        given = zip(EXPECTED, (texts_path, labels_path, filter_path, groups_path))
        self._paths = {kind: path for kind, path in given if path is not None}

    @property
    def path(self):
        return self._paths["labels"]

    @property
    def share(self):
        return 0.0 if self._texts is None else self._texts.share

    def __iter__(self):
        for path in self._paths.values():
            check_digest(path, "Restore the file, or prepare the data again")
        with contextlib.ExitStack() as stack:
            paths = self._paths.values()
            opened = [stack.enter_context(TextFile(path)) for path in paths]
            self._texts = opened[0]
            files = [_read_lines(*pair) for pair in zip(opened, paths)]
            for line, row in enumerate(itertools.zip_longest(*files), 1):
                if None in row:
                    raise self._length_error(row, files, line)
                found = {}
                for kind, content in zip(self._paths, row):
                    found[kind] = self._decode(kind, content, line)
                    if found[kind] is None:
                        break
                else:
                    yield Document(
                        found["texts"],
                        found["labels"].split(),
                        line,
                        tuple(found.get("filter", "").split()),
                        found.get("groups", "").strip(),
                    )
        self._texts = None

    def _decode(self, kind, content, line):
        """The text of a line of a file; `None` if it is refused."""
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            received = f"invalid UTF-8 at byte offset {error.start} of the line"
        else:
            if kind == "labels" and text[:1] in "[ \t" and LIST.fullmatch(text):
                received = f"a list, {text[:60]!r}"
            elif kind == "filter" or (text and not text.isspace()):
                return text
            else:
                received = "an empty line"
        message = f"Expected {EXPECTED[kind]}. Received: {received}."
        refuse(self.skip, message, self._paths[kind], line)
        return None

    def _length_error(self, row, files, line):
        """`BadInput` for files of which one ended at this line."""
        counts = [
            line - (content is None) + sum(1 for _ in rest)
            for content, rest in zip(row, files)
        ]
        # The first file whose length differs from that of the texts.
        other = next(i for i, c in enumerate(row) if (c is None) != (row[0] is None))
        paths = list(self._paths.values())
        return BadInput(
            f"Expected as many lines in {paths[0]} as in {paths[other]}. "
            f"Received: {counts[0]} and {counts[other]}, so this line has no "
            "counterpart.",
            paths[0 if row[other] is None else other],
            line,
        )


def _read_lines(file, path):
    """Yields lines as bytes, without line ends; an empty file raises `BadInput`."""
    # Bytes are split at "\n" only. A text file would also split at a "\r" inside a
    # text, and str.splitlines at U+2028 and others.
    line = 0
    for line, content in enumerate(file, 1):
        yield content.removesuffix(b"\n").removesuffix(b"\r")
    if line == 0:
        raise BadInput("Expected one document per line. Received: an empty file.", path)


def write_folder(documents, folder, part):
    """Writes the files for `FolderPart`, atomically.

    Args:
        documents: iterable of `Document`.
        folder: string or path. An existing folder.
        part: string, `"train"` or `"test"`.

    Returns:
        list of the paths of the text file and the label file.

    Raises:
        ValueError: a text contains a newline, see `to_line`, or a label contains white
            space.
    """
    paths = [Path(folder, f"{part}_{kind}.txt") for kind in ("texts", "labels")]
    with atomic_write(paths[0]) as texts, atomic_write(paths[1]) as labels:
        for number, document in enumerate(documents):
            texts.write(to_line(document.text, number == 0))
            for name in document.labels:
                if len(name.split()) != 1:
                    raise ValueError(
                        f"Expected labels without white space. Received: {name!r}."
                    )
            labels.write(to_line(" ".join(document.labels), number == 0))
    return paths


def to_line(text, first=False):
    r"""Encodes a text as a line of a file.

    Args:
        text: string.
        first: bool. Whether this is the first line, where a space is added before
            U+FEFF, which would be read as a byte order mark. Defaults to `False`.

    Returns:
        bytes, with "\n" at the end.

    Raises:
        ValueError: `text` contains a newline or ends in a carriage return.

    Example:

    >>> to_line("sea"), to_line("\ufeffsea", first=True)[:2]
    (b'sea\n', b' \xef')
    """
    if "\n" in text or text.endswith("\r"):
        raise ValueError(f"Expected a text without newlines. Received: {text!r:.100}.")
    bom = first and text.startswith("\ufeff")
    return (" " * bom + text + "\n").encode()
