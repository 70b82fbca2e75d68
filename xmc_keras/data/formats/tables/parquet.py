"""Parquet files."""

import os

from xmc_keras.data.formats.tables.columns import Columns
from xmc_keras.files.bad_input import BadInput

ROWS = 1024  # converted at a time, in addition to pyarrow's memory for a row group


class ParquetFile:
    """Documents of a Parquet file, one per row.

    Needs pyarrow: `pip install "xmc-keras[parquet]"`.

    Args:
        path: string or path.
        columns: optional `Columns`. Label columns have lists or strings, see
            `parse_label_cell`. Defaults to `Columns()`.
        skip: optional callable. Called with the `BadInput` of a document that cannot be
            used, which is left out. Defaults to `None`: the error is raised.

    Attributes:
        share: float in [0, 1]. Fraction of the rows that has been read.

    Raises:
        BadInput: pyarrow, the file or a column is missing, the file is damaged, or,
            without `skip`, a document cannot be used. A document's line is its row,
            from 1.

    Example:

    >>> import pathlib, tempfile
    >>> import pyarrow, pyarrow.parquet
    >>> rows = pyarrow.table({"text": ["red rose"], "labels": [["warm", "plant"]]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "train.parquet")
    ...     pyarrow.parquet.write_table(rows, path)
    ...     [(document.text, document.labels) for document in ParquetFile(path)]
    [('red rose', ['warm', 'plant'])]
    """

    def __init__(self, path, columns=None, skip=None):
        self.path, self.columns, self.skip = path, columns or Columns(), skip
        self.share = 0.0

    def __iter__(self):
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise BadInput(
                "Expected pyarrow, which reads Parquet. Received: not installed. "
                'Install it with pip install "xmc-keras[parquet]", or use CSV.',
                self.path,
            ) from None
        line = 0
        try:
            if not os.path.isfile(self.path):
                raise FileNotFoundError("no such file")
            # Opened here because pyarrow leaves a damaged file open.
            with open(self.path, "rb") as raw, pyarrow.parquet.ParquetFile(raw) as file:
                texts, labels = self.columns.choose(file.schema_arrow.names, self.path)
                self.columns.note_choice(self.path, texts, labels)
                total = file.metadata.num_rows
                group = self.columns.group
                columns = [*texts, *labels, *([] if group is None else [group])]
                for batch in file.iter_batches(ROWS, columns=columns):
                    for row in batch.to_pylist():
                        line += 1
                        cells = [[row[n] for n in names] for names in (texts, labels)]
                        found = self.columns.document(
                            *(cells[0], labels, cells[1], self.skip, self.path, line),
                            group=row.get(group),
                        )
                        if found is not None:
                            yield found
                    self.share = line / max(1, total)
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            if isinstance(error, BadInput):
                raise
            problem = str(error).splitlines()[0] if str(error) else "damage"
            raise BadInput(
                f"Expected an intact Parquet file. Received: {problem[:200]}. Download "
                "it again.",
                self.path,
                line + 1,
            ) from None
        if not line or line != total:
            raise BadInput(
                f"Expected {max(1, total)} rows or more. Received: {line}. Download "
                "the file again.",
                self.path,
            )
