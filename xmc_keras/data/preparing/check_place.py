"""Check of the path of a prepared folder."""

from xmc_keras.files.bad_input import BadInput


def check_place(path, part, resume, overwrite):
    """Raises `BadInput` if a prepared folder must not be written to a path.

    Args:
        path: `Path` of the folder. An existing folder is replaced only if it has a
            `summary.json`: then it was prepared, too.
        part: `Path` of the unfinished folder.
        resume, overwrite: bools, the options of the user.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        prepared = (path / "summary.json").exists()
        if not prepared or not (overwrite or (resume and part.exists())):
            received = "a prepared folder" if prepared else "something else"
            remedy = "Choose another path."
            if prepared:
                remedy = "Replace it with `overwrite=True`, or choose another path."
            raise BadInput(
                f"Expected a new folder. Received: {received}.", path, remedy=remedy
            )
    if part.exists() and not resume and not overwrite:
        raise BadInput(
            "Expected no unfinished folder. Received: one.",
            part,
            remedy="Continue with `resume=True`, or delete it with `overwrite=True`.",
        )
