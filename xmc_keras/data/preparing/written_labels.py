"""Label names without white space, for files with several labels per line."""


class WrittenLabels:
    """Assigns each label a unique name without white space.

    White space becomes an underscore. If the name is taken, a `~` is appended.

    Attributes:
        ids: dict from original label name to id, in order of first occurrence.
        written: list of strings. The written name of each id.

    Example:

    >>> labels = WrittenLabels()
    >>> [labels.add(name) for name in ("big oak", "rose", "big_oak")]
    [0, 1, 2]
    >>> labels.written, labels.renamed()
    (['big_oak', 'rose', 'big_oak~'], [('big_oak', 'big oak'), ('big_oak~', 'big_oak')])
    """

    def __init__(self):
        self.ids, self.written, self._taken = {}, [], set()

    def __len__(self):
        return len(self.ids)

    def add(self, name):
        """Adds a name that is not in `ids` yet, and returns its id."""
        label = "_".join(name.split())
        while label in self._taken:
            label += "~"
        self._taken.add(label)
        self.written.append(label)
        number = self.ids[name] = len(self.ids)
        return number

    def names(self, first):
        """The original names from id `first` on."""
        return list(self.ids)[first:]

    def renamed(self):
        """The (written name, original name) pairs that differ."""
        return [(w, n) for w, n in zip(self.written, self.ids) if w != n]
