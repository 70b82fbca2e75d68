"""Labels named by the URIs of a vocabulary."""

from xmc_keras.data.formats.document import one_space


class NamedByUri:
    """Documents of a reader, with the names that a vocabulary has for titles.

    As Annif reads corpora whose subjects are labels. Labels that are no titles of the
    vocabulary stay as they are.

    Args:
        reader: reader of a part, see `find_parts`.
        vocabulary: `Vocabulary`.

    Attributes:
        path: the file that is being read.
        share: float in [0, 1]. Fraction of the part that has been read.

    Example:

    >>> from xmc_keras.data.formats.document import Document
    >>> from xmc_keras.labels.vocabulary import Vocabulary
    >>> documents = [Document("a red rose", ["rose", "red"], 1)]
    >>> reader = NamedByUri(documents, Vocabulary({"http://x/1": "rose"}))
    >>> [document.labels for document in reader]
    [['http://x/1', 'red']]
    """

    def __init__(self, reader, vocabulary):
        self.reader, self.vocabulary = reader, vocabulary
        self._known = set(vocabulary.names)

    @property
    def path(self):
        return getattr(self.reader, "path", None)

    @property
    def share(self):
        return getattr(self.reader, "share", 0.0)

    def __iter__(self):
        for document in self.reader:
            yield document._replace(labels=[*map(self._name, document.labels)])

    def _name(self, label):
        if label in self._known:
            return label
        return self.vocabulary.name_of(one_space(label)) or label
