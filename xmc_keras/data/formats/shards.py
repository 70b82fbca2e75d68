"""Parts of a data set that are cut into several files."""

import re

from xmc_keras.files.bad_input import BadInput

SHARD = re.compile(
    r"(?P<part>\w+)-(?P<number>\d+(?=-of-)|\d{3,})(-of-(?P<count>\d+))?\b.*"
)

TESTS = ("test", "tst", "valid", "validation", "dev", "eval")


class Shards:
    """Documents of several files, one after the other.

    Args:
        paths: list of paths.
        open_file: callable from a path to its reader, see `find_parts`.

    Attributes:
        path: the file that is being read.
        share: float in [0, 1]. Fraction of the files that has been read.

    Example:

    >>> shards = Shards(["a", "b"], lambda path: [path, path])
    >>> list(shards), shards.path
    (['a', 'a', 'b', 'b'], 'b')
    """

    def __init__(self, paths, open_file):
        self.paths, self.open_file = paths, open_file
        self.path, self._number, self._reader = paths[0], 0, None

    @property
    def share(self):
        done = self._number + getattr(self._reader, "share", 0.0)
        return min(1.0, done / len(self.paths))

    def __iter__(self):
        for self._number, self.path in enumerate(self.paths):
            self._reader = self.open_file(self.path)
            yield from self._reader


def find_shards(folder, parts, fits):
    """The files of a part that is cut into several, in order.

    Their names are those of Hugging Face and TensorFlow, `train-00000-of-00002.csv`, or
    those of Spark, `part-00000.csv`, in the folder itself, in `data` or in a folder
    with the name of the part. If all files of the folder have one other name, such as
    `articles-00000-of-00002.csv`, they are the training part.

    Args:
        folder: path.
        parts: list of strings. The names of the part, such as train and trn.
        fits: callable from a file name to whether it has the wanted ending.

    Returns:
        list of paths, without any if there are none.

    Raises:
        BadInput: a file is missing, by the count in the names.

    Example:

    >>> from pathlib import Path
    >>> find_shards(Path("nowhere"), ["train"], lambda name: True)
    []
    """
    # Files without the name of a part are the training part, where nothing says more.
    own = _find_own_name(folder, fits) if "train" in parts else []
    places = [(folder, [*parts, *own]), (folder / "data", parts)]
    places += [(folder / part, [*parts, "part"]) for part in parts]
    for place, names in places:
        files = sorted(place.iterdir()) if place.is_dir() else []
        matches = [
            (path, match)
            for path in files
            if fits(path.name) and (match := SHARD.fullmatch(path.name))
        ]
        matches = [(p, m) for p, m in matches if m["part"] in names and p.is_file()]
        if matches:
            _check_whole(place, matches)
            return [path for path, _ in matches]
    return []


def _find_own_name(folder, fits):
    """The name of the files of a folder if all have one, else that of Spark."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    matches = [SHARD.fullmatch(path.name) for path in files if fits(path.name)]
    names = {match["part"] if match else None for match in matches}
    is_plain = len(names) == 1 and not names & {None, *TESTS}
    return list(names) if is_plain else ["part"]


def _check_whole(folder, matches):
    """Raises `BadInput` where a number is missing or there twice."""
    counts = {match["count"] for _, match in matches} - {None}
    numbers = [int(match["number"]) for _, match in matches]
    wanted = (
        list(range(int(counts.pop()))) if len(counts) == 1 else sorted(set(numbers))
    )
    if counts or numbers != wanted:
        raise BadInput(
            f"Expected each of {len(wanted)} files of a part once. Received: "
            f"{', '.join(path.name for path, _ in matches)[:200]}.",
            folder,
            remedy="Complete the files, or take others away.",
        )
