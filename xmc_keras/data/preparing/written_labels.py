"""Names of labels as they can stand on a line with spaces between."""


class WrittenLabels:
    """Gives each label a name without white space that no other label has.

    White space becomes an underscore; a name that is taken by then gets a `~` behind.

    Attributes:
        ids: dictionary from a label's name to its number, in order of appearance.
        written: list of strings, the names as they are written.

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
        """Returns the number of a name that is not in `ids` yet."""
        label = "_".join(name.split())
        while label in self._taken:
            label += "~"
        self._taken.add(label)
        self.written.append(label)
        number = self.ids[name] = len(self.ids)
        return number

    def names(self, first):
        """The names from number `first` on."""
        return list(self.ids)[first:]

    def renamed(self):
        """List of (name as written, name as it was), of those that differ."""
        return [(w, n) for w, n in zip(self.written, self.ids) if w != n]
