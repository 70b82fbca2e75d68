"""Format detection by file names and the first line."""

import json
import re
from pathlib import Path

from xmc_keras.data.formats.annif.annif_folder import find_pairs
from xmc_keras.data.formats.options import Options
from xmc_keras.data.formats.shards import TESTS, find_shards
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile

COMPRESSED = ("", ".gz", ".xz")
PARTS = {"train": ("train", "trn"), "test": ("test", "tst")}
# File names of each format, best first. {part} is train or trn, test or tst.
NAMES = {
    "folder": ("{part}_raw_texts.txt", "{part}_texts.txt"),
    "repository": ("{part}.json", "{part}.jsonl"),
    "json": ("{part}.jsonl", "{part}.json", "{part}.ndjson"),
    "pecos": ("X.{part}.txt", "{part}_X.txt", "raw/{part}_X.txt"),
    "parquet": ("{part}.parquet",),
    "csv": ("{part}.csv",),
    "tsv": ("{part}.tsv",),
    "annif": ("{part}.tsv",),
    "fasttext": ("{part}.txt", "{part}.ft", "{part}.fasttext"),
    "pecos-tsv": ("{part}.txt", "{part}.tsv"),
}
FORMATS = (*NAMES, "annif-folder", "datasets")
DATASETS = ("dataset_dict.json", "dataset_info.json")
SEVERAL_FILES = ("folder", "pecos")  # texts and labels
NUMBERED = re.compile(rb"\d+(,\d+)*\t")
URI = rb"(<[^<>\s]+>|https?://[^<>\s]+)"
URIS = re.compile(rb"[^\t]*\S[^\t]*\t\s*" + URI + rb"(\s+" + URI + rb")*\s*")
# Files of a folder that are not its data.
OTHERS = re.compile(
    r"(readme|licen[cs]e|notice|requirements|changelog)(\.\w+)?"
    r"|(dataset_dict|dataset_info)\.json|(lbl|output-|filter_|Y\.|\.|_).*",
    re.IGNORECASE,
)
TEST_NAME = re.compile(rf"(^|[^a-z])({'|'.join(TESTS)})([^a-z]|$)", re.IGNORECASE)


def find_format(source, options=None, test=None):
    """Detects the format of a data set from its file names and its first line.

    A first line that fits decides over file names, and one that does not fit rules a
    format out. Of the formats that are left, those that read the given options win.

    Args:
        source: string or path. A folder or a file.
        options: optional `Options`.
        test: optional string or path. The file of the test part.

    Returns:
        string, one of `FORMATS`.

    Raises:
        BadInput: no format fits, or several do.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "trn.json.gz").touch()
    ...     find_format(folder)
    'repository'
    """
    source, options = Path(source), options or Options()
    if not source.exists():
        raise BadInput("Expected a file or folder. Received: no such file.", source)
    found = {name: find_train(source, name, test) for name in NAMES}
    found = {name: paths[0] for name, paths in found.items() if paths}
    if source.is_dir():
        named = {n: p for n, p in found.items() if find_files(source, n, "train")}
        if not named and any(map(find_pairs, (source, source / "train"))):
            return "annif-folder"
        if not named and len(_data_files(source, test)) > 1:
            found = {}
        found = named or found  # the only file counts where none has a wanted name
        if any((source / name).exists() for name in DATASETS):
            found["datasets"] = source
    fits = {name: _fits(name, path, options.prefix) for name, path in found.items()}
    matches = [
        [name for name, fit in fits.items() if fit is wanted] for wanted in (True, None)
    ]
    of_options = [[n for n in names if options.read_by(n)] for names in matches]
    matches = next(filter(None, of_options + matches), [])
    if len(matches) == 1:
        return matches[0]
    if found and not matches:
        path = next(iter(found.values()))
        raise BadInput(
            "Expected a first line of fastText (__label__x __label__y the text) or of "
            "PECOS (label ids, separated by commas alone, a tab, the text). Received: "
            f"{_first_line(path)[:60].decode(errors='replace').strip()!r}.",
            path,
            1,
            "Give `prefix` if labels of fastText have another, or name its `format`.",
        )
    remedy = "Name its `format`, if it is one of them, or the file of the training part"
    raise BadInput(
        f"Expected the files of one format: {', '.join(FORMATS)}, such as train.csv, "
        "trn.json.gz, train-00000-of-00002.parquet, train.txt or train_texts.txt. "
        f"Received: {' or '.join(matches) or list_names(source)}.",
        source,
        remedy=f"{remedy}.",
    )


def _fits(name, path, prefix):
    """Whether the first line of a file fits a format; `None` if that is open."""
    if name in ("fasttext", "pecos-tsv", "annif", "tsv"):
        line = _first_line(path)
        label = re.compile(rb"(^|\s)" + re.escape(prefix.encode()) + rb"\S")
        # A number and a URI without brackets may be an id and a text.
        numbered = NUMBERED.match(line) and b"\t<" not in line
        fits = {
            "fasttext": label.search(line),
            "pecos-tsv": numbered
            or (NUMBERED.match(line) and not URIS.fullmatch(line)),
            "annif": URIS.fullmatch(line) and not numbered,
        }
        # Any line may be that of a table.
        return None if name == "tsv" else bool(fits[name])
    if name not in ("repository", "json"):
        return None
    try:
        found = json.loads(_first_line(path, 10_000_000))
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return ("target_ind" in found) == (name == "repository")
    of_repository = path.name.startswith(("trn.", "tst.")) or bool(
        find_existing(path.parent, "lbl.json")
    )
    return None if of_repository == (name == "repository") else False


def find_train(source, format, test=None):
    """The files of the training part: by name, as a file, or the only one in a folder.

    Args:
        source: path of a folder or a file.
        format: string, a key of `NAMES`.
        test: optional string or path. The file of the test part, which does not count.

    Returns:
        list of paths, several if the part is cut into several, or none.
    """
    if not source.is_dir():
        fits = source.exists() and _has_ending(source.name, format)
        return [source] if fits else []
    if found := find_files(source, format, "train"):
        return found
    if format in SEVERAL_FILES:
        return []
    files = [p for p in _data_files(source, test) if _has_ending(p.name, format)]
    return files if len(files) == 1 and not TEST_NAME.search(files[0].name) else []


def find_files(folder, format, part):
    """The files of a part in a folder, by their names; the texts if labels are apart.

    Args:
        folder: string or path.
        format: string, a key of `NAMES`.
        part: string, `"train"` or `"test"`.

    Returns:
        list of paths, several if the part is cut into several, or none.
    """
    patterns = [p.format(part=n) for p in NAMES[format] for n in PARTS[part]]
    found = [path for p in patterns if (path := find_existing(folder, p))]
    shards = []
    if format not in SEVERAL_FILES:
        shards = find_shards(
            Path(folder), PARTS[part], lambda name: _has_ending(name, format)
        )
    if found and shards:
        raise BadInput(
            f"Expected a part in one file or in several. Received: {found[0].name} and "
            f"{shards[0].name}.",
            folder,
            remedy="Take one of them away.",
        )
    return found[:1] or shards


def find_existing(folder, name):
    """The path of an existing file, compressed or not, or `None`."""
    paths = [Path(folder, name + end) for end in COMPRESSED]
    return next((path for path in paths if path.exists()), None)


def strip_compression(name):
    """Removes `.gz` or `.xz` from the end of a file name."""
    for end in COMPRESSED[1:]:
        name = name.removesuffix(end)
    return name


def _has_ending(name, format):
    """Whether a file name has an ending of a format of one file."""
    ends = {Path(pattern).suffix for pattern in NAMES[format]}
    return format not in SEVERAL_FILES and Path(strip_compression(name)).suffix in ends


def _data_files(folder, test):
    """Files of a folder that have an ending of some format, but for the test part."""
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file()
        and not OTHERS.fullmatch(path.name)
        and not (test and path.resolve() == Path(test).resolve())
        and any(_has_ending(path.name, format) for format in NAMES)
    ]


def list_names(source):
    """Says which files are in a folder, for a message, or the name of a file."""
    if not source.is_dir():
        return f"{source.name}, which has none of their endings"
    names = sorted(path.name for path in source.iterdir())
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"none of their names, but {', '.join(names[:10]) or 'no file'}{more}"


def _first_line(path, limit=10_000):
    try:
        with TextFile(path) as file:
            return next(iter(file), b"")[:limit]
    except BadInput:  # the reader reports it
        return b""
