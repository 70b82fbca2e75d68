"""Format detection by file names and the first line."""

import re
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.files.text_file import TextFile

COMPRESSED = ("", ".gz", ".xz")
PARTS = {"train": ("train", "trn"), "test": ("test", "tst")}
# File names of each format, best first. {part} is train or trn, test or tst.
NAMES = {
    "folder": ("{part}_raw_texts.txt", "{part}_texts.txt"),
    "repository": ("{part}.json", "{part}.jsonl"),
    "pecos": ("X.{part}.txt", "{part}_X.txt", "raw/{part}_X.txt"),
    "parquet": ("{part}.parquet",),
    "csv": ("{part}.csv",),
    "tsv": ("{part}.tsv",),
    "fasttext": ("{part}.txt", "{part}.ft", "{part}.fasttext"),
    "pecos-tsv": ("{part}.txt", "{part}.tsv"),
}
FORMATS = (*NAMES, "datasets")
DATASETS = ("dataset_dict.json", "dataset_info.json")
FASTTEXT = re.compile(rb"\s*__label__\S")
NUMBERED = re.compile(rb"\d+(,\d+)*\t")


def find_format(source):
    """Detects the format of a data set from its file names and its first line.

    Args:
        source: string or path. A folder or a file.

    Returns:
        string, one of `FORMATS`.

    Raises:
        BadInput: no format fits, or several do.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "trn.json.gz").touch()
    ...     find_format(folder)
    'repository'
    """
    source = Path(source)
    if source.is_dir():
        found = [name for name in NAMES if find_file(source, name, "train")]
        if any((source / name).exists() for name in DATASETS):
            found.append("datasets")
    elif source.exists():
        ends = strip_compression(source.name)
        found = [
            name
            for name, patterns in NAMES.items()
            if any(ends.endswith(Path(pattern).suffix) for pattern in patterns)
            and name not in ("folder", "pecos")
        ]
    else:
        raise BadInput("Expected a file or folder. Received: no such file.", source)
    by_line = {"fasttext": FASTTEXT, "pecos-tsv": NUMBERED}
    if len(found) > 1 or set(found) & set(by_line):
        fits = {}
        for name in set(found) & set(by_line):
            path = source if source.is_file() else find_file(source, name, "train")
            fits[name] = bool(by_line[name].match(_first_line(path)))
        # A first line that fits decides over file names; one that does not fit rules
        # the format out.
        matches = [name for name in found if fits.get(name)]
        found = matches or [name for name in found if name not in fits]
    if len(found) == 1:
        return found[0]
    received = " or ".join(found) or "none of their names"
    raise BadInput(
        f"Expected the files of one format: {', '.join(FORMATS)}. Received: "
        f"{received}.",
        source,
        remedy="Name its `format`, if it is one of them.",
    )


def find_file(folder, format, part):
    """The path of a part in a folder, or `None`; the text file if labels are separate.

    Args:
        folder: string or path.
        format: string, a key of `NAMES`.
        part: string, `"train"` or `"test"`.
    """
    patterns = [p.format(part=n) for p in NAMES[format] for n in PARTS[part]]
    return next((found for p in patterns if (found := find_existing(folder, p))), None)


def find_existing(folder, name):
    """The path of an existing file, compressed or not, or `None`."""
    paths = [Path(folder, name + end) for end in COMPRESSED]
    return next((path for path in paths if path.exists()), None)


def strip_compression(name):
    """Removes `.gz` or `.xz` from the end of a file name."""
    for end in COMPRESSED[1:]:
        name = name.removesuffix(end)
    return name


def _first_line(path):
    try:
        with TextFile(path) as file:
            return next(iter(file), b"")[:10_000]
    except BadInput:  # the reader reports it
        return b""
