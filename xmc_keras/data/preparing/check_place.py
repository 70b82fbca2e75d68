"""Whether a prepared folder may be written to its place."""

from xmc_keras.bad_input import BadInput


def check_place(path, part, resume, overwrite):
    """Raises `BadInput` if a folder may not be written.

    Args:
        path: `Path` of the folder. One that is there may be replaced only if it was
            prepared, too, as its `summary.json` tells.
        part: `Path` of the unfinished folder beside it.
        resume, overwrite: bools, what the user said.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        mine = (path / "summary.json").exists()
        if not mine or not (overwrite or (resume and part.exists())):
            remedy = "Replace it with --overwrite, or choose" if mine else "Choose"
            raise BadInput(
                "Expected a folder that is not there yet. Received: something "
                f"{'prepared before' if mine else 'else'}. {remedy} another place.",
                path,
            )
    if part.exists() and not resume and not overwrite:
        raise BadInput(
            "Expected no unfinished folder. Received: one. Go on with --resume, or "
            "drop it with --overwrite.",
            part,
        )
