"""Files of a part: texts, and labels separated by white space, a document a line."""

import contextlib
import itertools
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.document import Document, refuse
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.text_file import TextFile


class FolderPart:
    r"""Documents of the form of AttentionXML and LightXML, and of this project.

    Args:
        texts_path: string or path. A text a line; plain, `.gz` or `.xz`.
        labels_path: string or path. The labels of each text, likewise.
        skip: optional callable. Documents with no text, no label or invalid UTF-8 are
            left out, and this is called with the `BadInput` that says so. Defaults to
            `None`: it is raised.
        filter_path: optional string or path. The labels that evaluation leaves out for
            each text, likewise; a line may be empty. Defaults to none.

    Attributes:
        share: float in [0, 1]. Of the texts, what has been read.

    Raises:
        BadInput: a file is missing, empty or damaged, they have unequal lengths, or,
            without `skip`, a document cannot be used.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     documents = [Document("red rose", ["warm", "plant"], 1)]
    ...     paths = write_folder(documents, folder, "train")
    ...     list(FolderPart(*paths)) == documents
    True
    """

    def __init__(self, texts_path, labels_path, skip=None, filter_path=None):
        self.skip, self._texts = skip, None
        self._paths = [texts_path, labels_path]
        if filter_path is not None:
            self._paths.append(filter_path)

    @property
    def share(self):
        return 0.0 if self._texts is None else self._texts.share

    def __iter__(self):
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(TextFile(path)) for path in self._paths]
            self._texts = opened[0]
            files = [_lines(*pair) for pair in zip(opened, self._paths)]
            for line, row in enumerate(itertools.zip_longest(*files), 1):
                if None in row:
                    raise self._unequal(row, files, line)
                text = self._decoded(0, row[0], line)
                names = text and self._decoded(1, row[1], line)
                filtered = ""
                if names and len(row) > 2:
                    filtered = self._decoded(2, row[2], line)
                if names and filtered is not None:
                    yield Document(text, names.split(), line, tuple(filtered.split()))
        self._texts = None

    def _decoded(self, which, content, line):
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            received = f"invalid UTF-8 at byte offset {error.start} of the line"
        else:
            if which == 2 or (text and not text.isspace()):
                return text
            received = "an empty line"
        expected = ("a text", *["labels with white space between"] * 2)[which]
        message = f"Expected {expected}. Received: {received}."
        refuse(self.skip, message, self._paths[which], line)
        return None

    def _unequal(self, row, files, line):
        counts = [
            line - (content is None) + sum(1 for _ in rest)
            for content, rest in zip(row, files)
        ]
        # The first of the others that ends elsewhere than the texts.
        other = next(i for i, c in enumerate(row) if (c is None) != (row[0] is None))
        return BadInput(
            f"Expected as many lines in {self._paths[0]} as in {self._paths[other]}. "
            f"Received: {counts[0]} and {counts[other]}, so this line has no partner.",
            self._paths[0 if row[other] is None else other],
            line,
        )


def _lines(file, path):
    """Yields lines as bytes; an empty file becomes `BadInput`."""
    # Bytes are cut at "\n" alone; a text file would cut at a "\r" inside a text too,
    # and str.splitlines at U+2028 and others.
    line = 0
    for line, content in enumerate(file, 1):
        yield content.removesuffix(b"\n").removesuffix(b"\r")
    if line == 0:
        raise BadInput("Expected a document a line. Received: an empty file.", path)


def write_folder(documents, folder, part):
    """Writes what `FolderPart` reads, beside its place and then renamed.

    Args:
        documents: iterable of `Document`.
        folder: string or path, that is there.
        part: string, `"train"` or `"test"`.

    Returns:
        The paths of both files.

    Raises:
        ValueError: a text has a newline in it, or a label white space: see
            `to_line`.
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
    r"""A line for a file, as bytes.

    Args:
        text: string.
        first: bool. Whether it is the first of the file, where U+FEFF would be taken
            for a byte order mark: a space goes before it. Defaults to `False`.

    Raises:
        ValueError: `text` has a newline, or a carriage return at its end.

    Example:

    >>> to_line("sea"), to_line("\ufeffsea", first=True)[:2]
    (b'sea\n', b' \xef')
    """
    if "\n" in text or text.endswith("\r"):
        raise ValueError(f"Expected a text without newlines. Received: {text!r:.100}.")
    bom = first and text.startswith("\ufeff")
    return (" " * bom + text + "\n").encode()
