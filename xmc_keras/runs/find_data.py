"""Where the data of a run is, also after they were moved."""

import os
from pathlib import Path

from xmc_keras.files.bad_input import BadInput


def describe_place(data, run):
    """Notes where a folder of data is, for `find_data`.

    Args:
        data: string or path, relative to the working directory; or None.
        run: absolute path of the run.

    Returns:
        Dictionary for JSON, None without data: `named` (as given), `path`, `from_run`
        (the path relative to the run) and `sizes` (bytes of the files by name).
    """
    if data is None:
        return None
    path = Path(data).resolve()
    return {
        "named": str(data),
        "path": str(path),
        "from_run": os.path.relpath(path, run),
        "sizes": measure_files(path),
    }


def measure_files(folder):
    """Sizes of the files of a folder in bytes, a dictionary by name."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return {path.name: path.stat().st_size for path in paths if path.is_file()}


def find_data(run, named, place, data=None):
    """Finds the folder of a run's data, from any working directory.

    If `data` is not given, it is looked for where it was, seen from the run (so that a
    project can be moved or copied as a whole); where it was; in the working directory;
    and in the folders above the run. If there are several, it is the first whose files
    have the sizes that they had. An absolute path in the config comes first.

    Args:
        run: path of the run.
        named: string. `data` of the config; or None.
        place: dictionary, see `describe_place`; None for a run of version 0.1.0.
        data: optional string or path. The folder, if it is elsewhere now.

    Returns:
        The path of the folder.

    Raises:
        BadInput: there is no such folder.
    """
    if data is not None:
        if Path(data).is_dir():
            return Path(data)
        raise BadInput("Expected a folder of data. Received: no such folder.", data)
    remedy = "Say where it is with `data`."
    if named is None:
        raise BadInput(
            "Expected a run on a folder of data. Received: one on documents in memory.",
            run,
            remedy=remedy,
        )
    path, tried = Path(run).resolve(), []
    if place is not None and place["named"] != named:  # somebody has edited the config
        place = None
    if place is not None:
        tried = [path / place["from_run"], Path(place["path"])]
        if Path(named).is_absolute():
            tried.reverse()
    tried += [folder / named for folder in (Path.cwd(), *path.parents)]
    tried = list(dict.fromkeys(Path(os.path.normpath(folder)) for folder in tried))
    there = [folder for folder in tried if folder.is_dir()]
    if not there:
        raise BadInput(
            "Expected the data of this run. Received: no folder "
            f"{' or '.join(map(str, tried))}.",
            run,
            remedy=remedy,
        )
    sizes = {} if place is None else place["sizes"]
    alike = [x for x in there if sizes.items() <= measure_files(x).items()]
    return (alike or there)[0]
