"""What a folder holds, so that no program writes into one of another kind."""

import re
from pathlib import Path

from xmc_keras.bad_input import BadInput

RUN, DATA, EXPORT, OTHER = "a run", "a data set", "an export", "other files"


def describe_folder(path):
    """Finds out what a folder holds.

    Args:
        path: string or path.

    Returns:
        `"a run"`, `"a data set"`, `"an export"` (the base folder of the versions, or
        a version) or `"other files"`. `None` if the folder is empty but for hidden
        files, or missing.

    Raises:
        OSError: the folder cannot be read, or is a file.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "train_texts.txt").touch()
    ...     describe_folder(folder), describe_folder(Path(folder, "missing"))
    ('a data set', None)
    """
    path = Path(path)
    if not path.exists():
        return None
    found = {p.name: p for p in path.iterdir() if not p.name.startswith(".")}
    if "config.yaml" in found and {"label_names.txt", "label_counts.npz"} & {*found}:
        return RUN
    if any(re.match(r"(train|trn|test|tst|[XY]\.trn)[._]", name) for name in found):
        return DATA
    if "saved_model.pb" in found or any(
        re.fullmatch("[0-9]+", name) and folder.is_dir()
        for name, folder in found.items()
    ):
        return EXPORT
    return OTHER if found else None


def check_folder_for(path, purpose, argument):
    """Raises `BadInput` if a folder holds a run, a data set or an export.

    Args:
        path: string or path.
        purpose: string. What is to be written there, such as `"an ensemble"`.
        argument: string. The argument that sets another path.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "1").mkdir()
    ...     check_folder_for(folder, "an ensemble", "output")
    Traceback (most recent call last):
    xmc_keras.bad_input.BadInput: ...: Expected a folder for an ensemble. Received: ...
    """
    path = Path(path)
    held = describe_folder(path) if path.is_dir() else None
    if held in (RUN, DATA, EXPORT):
        raise BadInput(
            f"Expected a folder for {purpose}. Received: the folder of {held}.",
            path,
            remedy=f"Choose another `{argument}`.",
        )
