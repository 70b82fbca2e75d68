"""Titles and texts of labels."""

from xmc_keras.files.bad_input import BadInput


class Vocabulary:
    """Titles and texts of labels, by their names.

    A title is what people see in place of a name such as a URI: one short line. A text
    is what is learnt as a further document: all that is said of a label, beginning with
    its title.

    Args:
        titles: optional dictionary from names to titles.
        texts: optional dictionary from names to texts.

    Attributes:
        titles, texts: dictionaries.

    Example:

    >>> texts = {"x:1": "Rose. A plant.", "x:2": "Oak"}
    >>> vocabulary = Vocabulary({"x:1": "Rose"}, texts)
    >>> vocabulary.names
    ['x:1', 'x:2']
    >>> vocabulary.name_of("Rose"), vocabulary.name_of("Fir") is None
    ('x:1', True)
    """

    def __init__(self, titles=None, texts=None):
        self.titles, self.texts = dict(titles or {}), dict(texts or {})
        self._by_title = None

    @property
    def names(self):
        """The names of all labels, a list."""
        return list({**self.titles, **self.texts})

    def name_of(self, title):
        """The name of the label with a title, the first one; `None` without any."""
        if self._by_title is None:
            pairs = list(self.titles.items())[::-1]
            self._by_title = {own: name for name, own in pairs}
        return self._by_title.get(title)

    def over(self, other):
        """This vocabulary, with what another `Vocabulary` has and it has not.

        >>> other = Vocabulary({"x:1": "A", "x:2": "B"})
        >>> Vocabulary({"x:1": "Rose"}).over(other).titles
        {'x:1': 'Rose', 'x:2': 'B'}
        """
        return Vocabulary(
            {**other.titles, **self.titles}, {**other.texts, **self.texts}
        )

    def of(self, labels, path=None):
        """The part of labels that are in it.

        Args:
            labels: dictionary from the names of labels to other names of theirs, by
                which they are looked for, too.
            path: optional string or path of the vocabulary, for the error.

        Returns:
            `Vocabulary`.

        Raises:
            BadInput: none of the labels is in it.
        """
        known = {**self.titles, **self.texts}
        found = {}
        for name, other in labels.items():
            key = name if name in known else other
            if key in known:
                found[name] = key
        if labels and not found:
            raise BadInput(
                f"Expected texts of the labels of the data, such as "
                f"{next(iter(labels))!r:.80}. Received: {len(known)} of others"
                + (f", such as {next(iter(known))!r:.80}." if known else "."),
                path,
                remedy="Give the vocabulary of these labels; with `uris=True` labels "
                "that have a URI and a name are named by the URI.",
            )
        return Vocabulary(
            {n: self.titles[key] for n, key in found.items() if key in self.titles},
            {n: self.texts[key] for n, key in found.items() if key in self.texts},
        )
