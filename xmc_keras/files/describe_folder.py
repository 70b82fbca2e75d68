"""What a folder holds, so that no program writes into one of another kind."""

import re
from pathlib import Path

from xmc_keras.files.bad_input import BadInput

# Names of the files that make a folder what it is.
KIND = r"((_raw)?_(texts|labels|filter|X|X_Y))?"
KIND += r"\.(txt|csv|tsv|jsonl?|parquet|npz)(\.gz|\.xz)?"
TRAIN, TEST = rf"(train|trn){KIND}|[XY]\.trn\..*", rf"(test|tst){KIND}|[XY]\.tst\..*"
OWN = {
    "a run": r"config\.yaml|label_(names\.txt|counts\.npz)|cluster(s|_ids)\.npy|"
    r"(history\.csv|metrics\.json|phases\.json|curves\.png)|.*\.keras",
    "a data set": rf"{TRAIN}|{TEST}|summary\.json|renamed_labels\.tsv",
    "an export": r"saved_model\.pb",
}
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
    if any(re.fullmatch(TRAIN, name) for name in found):
        return DATA
    if "saved_model.pb" in found or any(
        re.fullmatch("[0-9]+", name) and folder.is_dir()
        for name, folder in found.items()
    ):
        return EXPORT
    return OTHER if found else None


def check_folder_for(path, purpose, argument):
    """Raises `BadInput` for a file, or a folder of a run, a data set or an export.

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
    xmc_keras.files.bad_input.BadInput: ...: Expected a folder for an ensemble. ...
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise BadInput(
            f"Expected a folder for {purpose}. Received: a file.",
            path,
            remedy=f"Choose another `{argument}`.",
        )
    held = describe_folder(path) if path.exists() else None
    if held in (RUN, DATA, EXPORT):
        raise BadInput(
            f"Expected a folder for {purpose}. Received: the folder of {held}.",
            path,
            remedy=f"Choose another `{argument}`.",
        )


def check_file_for(path, argument):
    """Raises `BadInput` if a file belongs to a run, a data set or an export.

    Args:
        path: string or path of a file to write.
        argument: string. The argument that sets another path.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("config.yaml", "label_names.txt", "metrics.json"):
    ...         Path(folder, name).touch()
    ...     check_file_for(Path(folder, "answers.jsonl"), "output")
    ...     check_file_for(Path(folder, "metrics.json"), "output")
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: ...: Expected a file of its own. ...
    """
    path = Path(path)
    if not path.is_file():
        return
    held = describe_folder(path.resolve().parent)
    if held in OWN and re.fullmatch(OWN[held], path.resolve().name):
        raise BadInput(
            f"Expected a file of its own. Received: a file of {held}.",
            path,
            remedy=f"Choose another `{argument}`.",
        )
