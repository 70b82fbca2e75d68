"""Opening of the parts of a data set."""

from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.data.formats.columns import Columns
from xmc_keras.data.formats.dataset_rows import DatasetRows
from xmc_keras.data.formats.fasttext import FastTextFile
from xmc_keras.data.formats.filter_pairs import FilterPairs
from xmc_keras.data.formats.find_format import (
    FORMATS,
    NAMES,
    PARTS,
    find_existing,
    find_file,
    strip_compression,
)
from xmc_keras.data.formats.folder import FolderPart
from xmc_keras.data.formats.json_lines import JsonLines
from xmc_keras.data.formats.label_list import read_label_list
from xmc_keras.data.formats.matrix_documents import MatrixDocuments
from xmc_keras.data.formats.numbered_lines import NumberedLines
from xmc_keras.data.formats.parquet import ParquetFile
from xmc_keras.data.formats.table import Table

LABELS = ("lbl.json", "output-items.txt", "output-labels.txt", "raw/Y.txt", "Y.txt")


class Options:
    """Options of the readers.

    Args:
        columns: optional `Columns`. Defaults to `Columns()`.
        labels: optional string or path. The list of label names. Defaults to the file
            in the folder of the data, if there is one.
        prefix: string. Prefix of labels in fastText files. Defaults to `"__label__"`.
        quotes: bool. See `Table`. Defaults to `True`.
    """

    def __init__(self, columns=None, labels=None, prefix="__label__", quotes=True):
        self.columns, self.labels = columns or Columns(), labels
        self.prefix, self.quotes = prefix, quotes


def find_parts(source, format, test=None, options=None, skip=None):
    """Opens the parts of a data set.

    Args:
        source: string or path. A folder, or the file of the training part.
        format: string, one of `FORMATS`.
        test: optional string or path. The file of the test part. Defaults to the one in
            the folder, if `source` is a folder that has one.
        options: optional `Options`.
        skip: optional function from the name of a part to the `skip` argument of its
            reader.

    Returns:
        dict from part, `"train"` or `"test"`, to its reader, an iterable of `Document`.
        The test part may be missing.

    Raises:
        BadInput: the training part, or a file that belongs to a part, is missing.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train.csv").write_text("text,labels\\nred rose,plant\\n")
    ...     parts = find_parts(folder, "csv")
    ...     [(document.text, document.labels) for document in parts["train"]]
    [('red rose', ['plant'])]
    """
    if format not in FORMATS:
        raise ValueError(f"Expected one of {FORMATS}. Received: {format!r}.")
    source, options = Path(source), options or Options()
    skip = skip or (lambda part: None)
    if format == "datasets":
        return {
            part: DatasetRows(rows, options.columns, skip(part))
            for part, rows in _load_datasets(source).items()
        }
    if source.is_dir():
        paths = {part: find_file(source, format, part) for part in PARTS}
        if test:
            paths["test"] = Path(test)
    else:
        paths = {"train": source, "test": Path(test) if test else None}
    if test and not Path(test).exists():
        raise BadInput("Expected the file of the test part. Received: none.", test)
    if paths["train"] is None:
        wanted = [p.format(part=n) for p in NAMES[format] for n in PARTS["train"]]
        raise BadInput(
            f"Expected {' or '.join(wanted)}, plain or with .gz or .xz. Received: none "
            "of these.",
            source,
        )
    names = None
    if format in ("repository", "pecos", "pecos-tsv"):
        names = _read_label_names(paths["train"], options.labels)
    return {
        part: _open(format, path, part, names, options, skip(part))
        for part, path in paths.items()
        if path is not None
    }


def _open(format, path, part, names, options, skip):
    if format == "folder":
        name = strip_compression(path.name).split("_")[0]
        filter_path = find_existing(path.parent, f"{name}_filter.txt")
        return FolderPart(path, _find_labels(path, format), skip, filter_path)
    if format == "repository":
        filter_path = find_existing(path.parent, f"filter_labels_{part}.txt")
        pairs = filter_path and FilterPairs(filter_path, names and len(names))
        return JsonLines(path, names, pairs, skip)
    if format == "pecos":
        return MatrixDocuments(path, _find_labels(path, format), names, skip)
    if format == "pecos-tsv":
        return NumberedLines(path, names, skip)
    if format == "fasttext":
        return FastTextFile(path, skip, options.prefix)
    if format == "parquet":
        return ParquetFile(path, options.columns, skip)
    delimiter = "\t" if format == "tsv" else ","
    return Table(path, options.columns, delimiter, options.quotes, skip)


def _find_labels(path, format):
    """The label file that belongs to a text file."""
    name = strip_compression(path.name)
    if format == "folder":
        wanted = [f"{name.split('_')[0]}_labels.txt"]
    else:
        short = next(n for n in (*PARTS["train"], *PARTS["test"], name) if n in name)
        wanted = [f"Y.{short}.npz", f"{short}_X_Y.txt", f"../{short}_X_Y.txt"]
    for other in wanted:
        if found := find_existing(path.parent, other):
            return found
    raise BadInput(
        f"Expected the labels in {' or '.join(wanted)} next to this file. Received: no "
        "such file.",
        path,
    )


def _read_label_names(path, given):
    """Reads the given list of label names, or the one in the folder of `path`."""
    if given is None:
        given = next((f for n in LABELS if (f := find_existing(path.parent, n))), None)
    return None if given is None else read_label_list(given)


def _load_datasets(source):
    """Loads the splits of a folder written by the package `datasets`."""
    try:
        import datasets
    except ImportError:
        raise BadInput(
            "Expected the package datasets, which wrote this folder. Received: not "
            "installed. Install it with pip install datasets.",
            source,
        ) from None
    try:
        found = datasets.load_from_disk(str(source))
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(
            f"Expected a folder written by save_to_disk. Received: {error}.", source
        ) from None
    if not hasattr(found, "keys"):
        return {"train": found}
    if "train" not in found:
        raise BadInput(
            f"Expected a split named train. Received: {', '.join(found)}.", source
        )
    return {part: found[part] for part in PARTS if part in found}
