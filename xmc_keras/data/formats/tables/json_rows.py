"""Files of one JSON object per line, with texts and labels of their own."""

import json

from xmc_keras.data.formats.document import TextRows, refuse
from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.files.bad_input import BadInput

OBJECT = "Expected a JSON object on each line."
ARRAY = "Write one object a line, for example with jq -c '.[]'."


class JsonRows:
    r"""Documents of a file with one JSON object per line.

    The fields are chosen like the columns of a table, from the first object.

    Args:
        path: string or path. Plain, `.gz` or `.xz`.
        columns: optional `Columns`. The label field has a list of strings, of integers
            or of objects, or a string, see `parse_label_cell`. Defaults to `Columns()`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the file that has been read.

    Raises:
        BadInput: the file is missing, empty or damaged, or one JSON array, a field is
            missing, or, without `skip`, a document cannot be used.

    Example:

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.jsonl")
    ...     _ = path.write_text('{"text": "red rose", "labels": ["warm", "big plant"]}')
    ...     [(document.text, document.labels) for document in JsonRows(path)]
    [('red rose', ['warm', 'big plant'])]
    """

    def __init__(self, path, columns=None, skip=None):
        self.path, self.columns, self.skip = path, columns or Columns(), skip
        self._rows = TextRows(path, skip)

    @property
    def share(self):
        return self._rows.share

    def __iter__(self):
        fields = None
        for line, row in self._rows:
            try:
                found = json.loads(row)
            except (ValueError, RecursionError):
                found = None
            if not isinstance(found, dict):
                if fields is None and row.lstrip()[:1] == "[":
                    message = f"{OBJECT} Received: an array."
                    raise BadInput(message, self.path, line, ARRAY)
                if fields is None and row.strip() == "{":
                    message = f"{OBJECT} Received: an object over several lines."
                    raise BadInput(message, self.path, line, ARRAY.replace(".[]", "."))
                message = f"{OBJECT} Received: {row[:60]!r}."
                refuse(self.skip, message, self.path, line)
                continue
            if fields is None:
                fields = self.columns.choose(list(found), self.path, line, "field")
                self.columns.note_choice(self.path, *fields)
            texts, labels = fields
            document = self.columns.document(
                *([found.get(name) for name in texts], labels),
                *([found.get(name) for name in labels], self.skip, self.path, line),
                group=found.get(self.columns.group),
            )
            if document is not None:
                yield document
