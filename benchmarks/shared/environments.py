"""Environments of programs whose dependencies are others than ours."""

import subprocess
import venv
from pathlib import Path


class NotInstalled(Exception):
    """Packages cannot be installed, as without a network."""


def make_environment(folder, *packages):
    """Installs packages from PyPI into an environment of its own.

    Args:
        folder: path of the environment, which is kept if it is complete already.
        *packages: strings or paths. Arguments of `pip install`.

    Returns:
        Path of its folder of programs.

    Raises:
        NotInstalled: pip has failed.
    """
    programs, complete = Path(folder, "bin"), Path(folder, "complete")
    if not complete.exists():
        venv.create(folder, with_pip=True)
        command = [programs / "python", "-m", "pip", "install", "-q", *packages]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise NotInstalled(done.stderr[-500:])
        complete.touch()
    return programs
