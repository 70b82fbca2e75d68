"""Reading the history of a run, without Keras."""

import csv
import io
from pathlib import Path

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digest

# Columns of validation metrics, and their names in tables.
PRECISIONS = {f"val_precision_at_{k}": f"P@{k}" for k in (1, 3, 5)}
LOSSES = {"loss": "training", "val_loss": "validation"}
COLUMNS = (*LOSSES, *PRECISIONS)
REMEDY = "Restore the file, or remove it: it holds only the curves of training."


def read_history(path, columns=()):
    r"""Reads a `history.csv` that `RunHistory` has written.

    Args:
        path: string or path.
        columns: names of required columns, besides `epoch`.

    Returns:
        List of dictionaries of column to float; `epoch`, from 0, is an int. Empty if
        there is no such file.

    Raises:
        BadInput: a row is damaged; with path and line.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "history.csv")
    ...     _ = path.write_text("epoch,loss\n0,3.5\n1,2\n")
    ...     read_history(path, ["loss"])
    [{'epoch': 0, 'loss': 3.5}, {'epoch': 1, 'loss': 2.0}]
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadInput(
            f"Expected a history of epochs. Received: {error.strerror}. {REMEDY}", path
        ) from None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"Expected UTF-8. Received: other bytes. {REMEDY}", path, line
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows, line = [], 1
    try:
        missing = {"epoch", *columns} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"no column {min(missing)!r}")
        line = 2
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(f"another number of cells than {len(row)}")
            rows.append({key: float(value) for key, value in row.items()})
            rows[-1]["epoch"] = int(row["epoch"])
            line = reader.line_num + 1
    except (ValueError, csv.Error) as error:
        raise BadInput(
            "Expected columns of numbers, with a header line. Received: "
            f"{error}. {REMEDY}",
            path,
            line,
        ) from None
    check_digest(path, REMEDY.split(":")[0])
    return rows
