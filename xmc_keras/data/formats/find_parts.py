"""Opening of the parts of a data set."""

import logging
from pathlib import Path

from xmc_keras.data.formats.annif.annif_folder import AnnifFolder
from xmc_keras.data.formats.annif.annif_lines import AnnifLines
from xmc_keras.data.formats.fasttext import FastTextFile
from xmc_keras.data.formats.filter_pairs import FilterPairs
from xmc_keras.data.formats.find_format import (
    FORMATS,
    NAMES,
    PARTS,
    SEVERAL_FILES,
    find_existing,
    find_files,
    find_train,
    list_names,
    strip_compression,
)
from xmc_keras.data.formats.folder import FolderPart
from xmc_keras.data.formats.json_lines import JsonLines
from xmc_keras.data.formats.label_list import (
    read_described_labels,
    read_label_list,
)
from xmc_keras.data.formats.label_vectors import LabelledDocuments
from xmc_keras.data.formats.matrix_documents import MatrixDocuments
from xmc_keras.data.formats.numbered_lines import NumberedLines
from xmc_keras.data.formats.options import TABLES, WITH_IDS, Options
from xmc_keras.data.formats.shards import SHARD, Shards
from xmc_keras.data.formats.tables.dataset_rows import DatasetRows
from xmc_keras.data.formats.tables.json_rows import JsonRows
from xmc_keras.data.formats.tables.parquet import ParquetFile
from xmc_keras.data.formats.tables.table import Table
from xmc_keras.data.label_texts import (
    LABEL_TEXTS,
    read_label_texts,
    read_label_titles,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.vocabulary import Vocabulary

logger = logging.getLogger(__name__)

LABELS = ("lbl.json", "output-items.txt", "output-labels.txt", "raw/Y.txt", "Y.txt")


def find_parts(source, format, test=None, options=None, skip=None):
    """Opens the parts of a data set.

    Args:
        source: string or path. A folder, or the file of the training part.
        format: string, one of `FORMATS`.
        test: optional string or path. The file of the test part; of Annif's folders, a
            folder. Defaults to the one in the folder, if `source` is a folder that has
            one.
        options: optional `Options`.
        skip: optional function from the name of a part to the `skip` argument of its
            reader.

    Returns:
        dict from part, `"train"` or `"test"`, to its reader, an iterable of `Document`.
        The test part may be missing.

    Raises:
        BadInput: the training part, or a file that belongs to a part, is missing, or an
            option is for other formats.

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
    options.check(format)
    skip = skip or (lambda part: None)
    if test and format == "datasets":
        raise BadInput(
            "Expected the test part in the folder. Received: another file for it.",
            test,
            remedy="Leave out `test`, and save both splits in one folder.",
        )
    if test and not Path(test).exists():
        raise BadInput("Expected the file of the test part. Received: none.", test)
    if format == "datasets":
        splits = _load_datasets(source)
        paths = {part: [rows] for part, rows in splits.items()}
    elif format == "annif-folder":
        paths = _find_folders(source, test)
    else:
        paths = _find_files(source, format, test)
    names = None
    if format in WITH_IDS:
        names = _read_label_names(paths["train"][0], options.labels)
    elif options.labels is not None:
        names = read_label_list(options.labels)

    def open_part(part, skip):
        if len(paths[part]) == 1:
            return _open(format, paths[part][0], part, names, options, skip)
        filter_name = f"filter_labels_{part}.txt"
        if format == "repository" and find_existing(paths[part][0].parent, filter_name):
            raise BadInput(
                "Expected the part in one file, whose documents the filter file "
                f"numbers. Received: {len(paths[part])} files.",
                source,
                remedy=f"Join them, or take {filter_name} away.",
            )
        return Shards(
            paths[part], lambda path: _open(format, path, part, names, options, skip)
        )

    readers = {part: open_part(part, skip(part)) for part in paths}
    if format not in (*TABLES, "folder"):
        return readers

    def label(part, sample_width=None):
        return LabelledDocuments(
            readers[part], sample_width, names, skip(part), options.columns
        )

    def width():
        if train.is_sampled:
            return train.width
        # A call that resumes in the test part.
        again = LabelledDocuments(
            open_part("train", lambda error: None), columns=options.columns
        )
        next(iter(again), None)
        return again.width

    train = label("train")
    return {part: train if part == "train" else label(part, width) for part in readers}


def _find_files(source, format, test):
    """The files of each part."""
    paths = {"train": find_train(source, format, test), "test": []}
    if not source.is_dir():
        paths["train"] = [source]
        if (shard := SHARD.fullmatch(source.name)) and int(shard["count"] or 1) > 1:
            logger.warning(
                "%s is one of %d files: give their folder to read all of them",
                *(source, int(shard["count"])),
            )
    elif not test:
        paths["test"] = find_files(source, format, "test")
    if test:
        paths["test"] = [Path(test)]
    if not paths["train"]:
        wanted = [p.format(part=n) for p in NAMES[format] for n in PARTS["train"]]
        shards = "" if format in SEVERAL_FILES else ", or in several files, such as "
        shards += shards and wanted[0].replace(".", "-00000-of-00002.", 1)
        raise BadInput(
            f"Expected {' or '.join(wanted)}, plain or with .gz or .xz{shards}. "
            f"Received: {list_names(source)}.",
            source,
        )
    return {part: found for part, found in paths.items() if found}


def _find_folders(source, test):
    """The folder of each part of Annif's folders."""
    found = {part: [source / part] for part in PARTS if (source / part).is_dir()}
    found.setdefault("train", [source])
    return found | ({"test": [Path(test)]} if test else {})


def _open(format, path, part, names, options, skip):
    if format == "datasets":
        return DatasetRows(path, options.columns, skip)
    if format == "annif-folder":
        return AnnifFolder(path, skip, options.columns)
    if format == "folder":
        name = strip_compression(path.name).split("_")[0]
        filter_path = find_existing(path.parent, f"{name}_filter.txt")
        groups_path = find_existing(path.parent, f"{name}_groups.txt")
        labels_path = _find_labels(path, format)
        return FolderPart(path, labels_path, skip, filter_path, groups_path)
    if format == "repository":
        filter_path = find_existing(path.parent, f"filter_labels_{part}.txt")
        pairs = filter_path and FilterPairs(filter_path, names and len(names))
        return JsonLines(path, names, pairs, skip)
    if format == "json":
        return JsonRows(path, options.columns, skip)
    if format == "pecos":
        return MatrixDocuments(path, _find_labels(path, format), names, skip)
    if format == "pecos-tsv":
        return NumberedLines(path, names, skip)
    if format == "fasttext":
        return FastTextFile(path, skip, options.prefix)
    if format == "parquet":
        return ParquetFile(path, options.columns, skip)
    if format == "annif":
        return AnnifLines(path, skip)
    delimiter = options.delimiter
    return Table(path, options.columns, delimiter, options.quotes, skip, options.header)


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


def find_vocabulary(source, format, labels=None):
    """The `Vocabulary` of the labels of a data set.

    The Extreme Classification Repository has it in `lbl.json.gz`, and this project in
    `label_texts.txt` and `label_titles.txt`. Other formats have none.

    Args:
        source, format: see `find_parts`.
        labels: optional path of a label list, which is taken instead.
    """
    folder = source if Path(source).is_dir() else Path(source).parent
    if format == "folder":
        has_texts = find_existing(folder, LABEL_TEXTS)
        texts = read_label_texts(folder) if has_texts else {}
        return Vocabulary(read_label_titles(folder), texts)
    path = labels or find_existing(folder, "lbl.json")
    if format != "repository" or path is None or ".json" not in str(path):
        return Vocabulary()
    return read_described_labels(path)


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
