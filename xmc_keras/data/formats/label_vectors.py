"""Label ids of documents: vectors of zeros and ones, and names for ids."""

import itertools
from collections import Counter

from xmc_keras.data.formats.document import refuse
from xmc_keras.data.formats.label_list import id_error, name_labels

SAMPLE = 1000  # documents that decide whether labels are vectors
BITS = {"0", "1"}


class LabelledDocuments:
    """Documents of a reader, with labels for vectors, and names for label ids.

    Labels such as 0, 1, 0, 1 are a vector: the document has the labels at the places of
    the ones, counted from 0. They are read as vectors if all lists of the first
    documents have zeros and ones alone and one length of at least 2, or if most do and
    an id is repeated. Otherwise a list that repeats a label id is refused.

    Args:
        reader: reader of a part, see `find_parts`.
        width: callable without arguments. The length of the vectors, or `None`, see
            `find_width`.
        names: optional list of strings. The names of label ids. Defaults to `None`: the
            labels stay as they are, and places of vectors become their numbers.
        skip: see `refuse`.
        note: optional callable, called with a message if labels are vectors.

    Attributes:
        path: the file that is being read.
        share: float in [0, 1]. Fraction of the part that has been read.

    Raises:
        BadInput: without `skip`, labels are not vectors like the others, or repeat an
            id, or have no name.

    Example:

    >>> from xmc_keras.data.formats.document import Document
    >>> documents = [Document("sea", ["0", "1", "1"], 1)]
    >>> width = lambda: find_width(documents)
    >>> [document.labels for document in LabelledDocuments(documents, width)]
    [['1', '2']]
    """

    def __init__(self, reader, width, names=None, skip=None, note=None):
        self.reader, self.width, self.skip = reader, width, skip
        self.names, self.note = names, note

    @property
    def path(self):
        return getattr(self.reader, "path", None)

    @property
    def share(self):
        return self.reader.share

    def __iter__(self):
        width = self.width()
        if width and self.note:
            self.note(
                f"Labels are vectors of {width} zeros and ones: place i, from 0, is "
                + (f"label i, such as {self.names[0]!r}" if self.names else "label i")
            )
        for document in self.reader:
            labels, problem = self._labels(document.labels, width)
            if problem:
                refuse(self.skip, problem, self.path, document.line)
            else:
                yield document._replace(labels=labels)

    def _labels(self, found, width):
        """The labels of a document, and what is wrong with them."""
        received = f"Received: {', '.join(found)[:60]}."
        if width and (len(found) != width or not set(found) <= BITS):
            return None, (
                f"Expected a vector of {width} zeros and ones, as most of the first "
                f"documents have. {received}"
            )
        if width:
            found = [str(place) for place, bit in enumerate(found) if bit == "1"]
            if not found:
                return None, "Expected labels. Received: a vector of zeros."
        is_ids = all(name.isdecimal() and name.isascii() for name in found)
        if is_ids and len(set(found)) < len(found):
            return None, (
                "Expected different label ids, or vectors of zeros and ones in all "
                f"documents. {received}"
            )
        if self.names is None:
            return found, None
        named = None
        if is_ids and all(len(name) < 19 for name in found):
            named = name_labels(map(int, found), self.names)
        return named, None if named else f"{id_error(self.names)} {received}"


def find_width(documents):
    """The length of the vectors that the labels of documents are, or `None`.

    Args:
        documents: iterable of `Document`. The first 1,000 are read.

    Example:

    >>> from xmc_keras.data.formats.document import Document
    >>> find_width([Document("sea", ["3", "1"], 1)]) is None
    True
    """
    lists = [document.labels for document in itertools.islice(documents, SAMPLE)]
    vectors = [labels for labels in lists if set(labels) <= BITS]
    if not vectors:
        return None
    widths = Counter(map(len, vectors))
    width, _ = widths.most_common(1)[0]
    alike = len(widths) == 1 and len(vectors) == len(lists) and width > 1
    repeated = any(len(labels) > len(set(labels)) for labels in vectors)
    return width if alike or (repeated and 2 * len(vectors) > len(lists)) else None
