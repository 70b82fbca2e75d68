"""One part of a data set, in whatever form its folder has."""

import itertools
from pathlib import Path

from xmc_keras.feature_documents import read_feature_documents
from xmc_keras.read_features import has_features
from xmc_keras.text_folder import read_documents

SUFFIXES = ("", ".gz", ".xz")


def read_part(folder, part, skip_bad_lines=False, num_features=None):
    """Reads documents that are texts or, where there are none, rows of features.

    Args:
        folder: string or path.
        part: `"train"` or `"test"`.
        skip_bad_lines: bool. Whether to leave bad documents out and count them.
            Defaults to `False`.
        num_features: optional int. Features of the training part, for another.

    Returns:
        `Documents` as of `read_documents`, or `FeatureDocuments` as of
        `read_feature_documents`.

    Raises:
        BadInput: as these; of a folder with neither, what texts it lacks.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "train.txt").write_text("1 3 9\\n5,7 0:3 2:4\\n")
    ...     type(read_part(folder, "train")).__name__
    'FeatureDocuments'
    """
    names = (f"{part}_raw_texts.txt", f"{part}_texts.txt", f"{part}_labels.txt")
    texts = any(
        Path(folder, name + suffix).exists()
        for name, suffix in itertools.product(names, SUFFIXES)
    )
    if texts or not has_features(folder, part):
        return read_documents(folder, part, skip_bad_lines)
    return read_feature_documents(folder, part, skip_bad_lines, num_features)
