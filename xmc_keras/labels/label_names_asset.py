"""Label names as an asset of a `.keras` file."""

from pathlib import Path

from xmc_keras.labels.label_set import LabelSet

FILE = "label_names.txt"


class LabelNamesAsset:
    """What a model with `label_set` writes beside its weights, and reads again.

    A class to stand before `keras.Model` among the bases of a model; `label_set` is a
    `LabelSet`, or None for a model without names.

    Example:

    >>> import tempfile
    >>> model, again = LabelNamesAsset(), LabelNamesAsset()
    >>> model.label_set = LabelSet(["sea", "sky"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save_assets(folder)
    ...     again.load_assets(folder)
    >>> again.label_set.names
    ['sea', 'sky']
    """

    def save_assets(self, folder):
        if self.label_set is not None:
            self.label_set.save(Path(folder, FILE))

    def load_assets(self, folder):
        path = Path(folder, FILE)
        if path.exists():
            self.label_set = LabelSet.load(path)
