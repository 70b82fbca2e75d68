"""Digests of the files that a server loads."""

from pathlib import Path

from xmc_keras.files.digests import record_digests
from xmc_keras.serving.server.load_version import DIGESTS_FILE

# For people, and what is written here.
LEFT_OUT = ("labels.txt", "model_card.md", Path(DIGESTS_FILE).name)


def record_version(folder):
    """Writes the digests of a complete version, which `load_version` compares.

    TensorFlow Serving ignores the file. What only people read may be changed.
    """
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    names = [str(p.relative_to(folder)) for p in files if p.name not in LEFT_OUT]
    Path(folder, DIGESTS_FILE).parent.mkdir(exist_ok=True)
    record_digests(folder, names, DIGESTS_FILE)
