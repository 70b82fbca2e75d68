"""Label names stored in `.keras` files."""

from pathlib import Path

from xmc_keras.labels.label_set import LabelSet

FILE = "label_names.txt"


class LabelNamesAsset:
    """Mixin that saves and loads a model's `label_set` as an asset of its file.

    It comes before `keras.Model` in the bases of a model. `label_set` is a `LabelSet`,
    or `None` for a model without label names.

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
