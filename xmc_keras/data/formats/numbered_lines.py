"""Text files of PECOS with label ids: `label id,label id<TAB>text`."""

from xmc_keras.data.formats.document import Document, TextRows, is_usable, refuse
from xmc_keras.data.formats.folder import to_line
from xmc_keras.data.formats.label_list import id_error, name_labels
from xmc_keras.files.atomic_files import atomic_write


class NumberedLines:
    r"""Documents in PECOS's format of raw text: label ids from 0, a tab, the text.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        names: optional list of strings. The label names, see `read_label_list`.
            Defaults to the label ids.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, or, without `skip`, a line has
            another format or an id without a name.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.tsv")
    ...     _ = path.write_text("1,0\tred rose\n")
    ...     [(d.text, d.labels) for d in NumberedLines(path, ["plant", "warm"])]
    [('red rose', ['warm', 'plant'])]

    Reference: `load_data_from_file` of https://github.com/amzn/pecos.
    """

    def __init__(self, path, names=None, skip=None):
        self.path, self.names, self.skip = path, names, skip
        self._rows = TextRows(path, skip)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        for line, row in self._rows:
            ids, tab, text = row.partition("\t")
            labels = None
            if tab and ids.isascii():
                parts = ids.split(",")
                if all(p.isdecimal() and len(p) < 19 for p in parts):
                    labels = name_labels(map(int, parts), self.names)
            if labels is None:
                message = (
                    f"{id_error(self.names)} They are separated by commas and followed "
                    f"by a tab and the text. Received: {row[:60]!r}."
                )
                refuse(self.skip, message, self.path, line)
            elif is_usable(text, labels, self.skip, self.path, line):
                yield Document(text, labels, line)


def write_numbered_lines(documents, path, names):
    """Writes a file for `NumberedLines`, atomically.

    Args:
        documents: iterable of `Document`.
        path: string or path. Compressed if it ends in `.gz`.
        names: list of strings. The names of all labels.

    Raises:
        ValueError: a text contains a newline.
    """
    ids = {name: str(number) for number, name in enumerate(names)}
    with atomic_write(path) as file:
        for document in documents:
            numbers = ",".join(ids[name] for name in document.labels)
            file.write(to_line(f"{numbers}\t{document.text}"))
