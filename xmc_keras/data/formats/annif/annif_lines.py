"""Files of short texts as in Annif: a text, a tab, and the URIs of its subjects."""

from xmc_keras.data.formats.document import Document, TextRows, is_usable, refuse
from xmc_keras.data.formats.tables.label_cell import parse_label_cell


class AnnifLines:
    r"""Documents of a file with a text, a tab and URIs on each line.

    URIs are separated by white space, also by further tabs, and stand in angle brackets
    or without. Quotes have no meaning, and empty lines are left out.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, or, without `skip`, a line has
            no tab, no text, no URI or invalid UTF-8.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.tsv")
    ...     _ = path.write_text("red rose\t<http://x/1> <http://x/2>\n")
    ...     [(document.text, document.labels) for document in AnnifLines(path)]
    [('red rose', ['http://x/1', 'http://x/2'])]

    Reference: https://github.com/NatLibFi/Annif/wiki/Document-corpus-formats
    """

    def __init__(self, path, skip=None):
        self.path, self.skip = path, skip
        self._rows = TextRows(path, skip)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        for line, row in self._rows:
            if not row.strip("\r"):
                continue
            text, tab, uris = row.partition("\t")
            labels = parse_label_cell(uris) if tab else None
            if labels is None:
                message = (
                    "Expected labels as a text, a tab and URIs, <http://x/1> "
                    f"<http://x/2>. Received: {row[:60]!r}."
                )
                refuse(self.skip, message, self.path, line)
            elif is_usable(text, labels, self.skip, self.path, line):
                yield Document(text, labels, line)
