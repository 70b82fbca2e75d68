"""Label ids of documents: vectors of zeros and ones, and names for ids."""

import itertools
import re
from collections import Counter

from xmc_keras.data.formats.document import refuse
from xmc_keras.data.formats.label_list import id_error, name_labels
from xmc_keras.data.formats.tables.columns import Columns

SAMPLE = 1000  # documents that decide whether labels are vectors
BITS = {"0", "1"}
IDS = re.compile("[0-9]{1,18}")


class LabelledDocuments:
    """Documents of a reader, with labels for vectors, and names for label ids.

    Labels such as 0, 1, 0, 1, or 0101 alone, are a vector: the document has the labels
    at the places of the ones, counted from 0. They are read as vectors if all lists of
    the first documents have zeros and ones alone and one length of at least 2, or if
    most do and an id is repeated. Otherwise a list that repeats a label id is refused.

    Args:
        reader: reader of a part, see `find_parts`.
        sample_width: optional callable without arguments, which finds the length of the
            vectors, or `None`. By default `find_width` finds it in the first documents
            of the reader.
        names: optional list of strings. The names of label ids. Defaults to `None`: the
            labels stay as they are, and places of vectors become their numbers.
        skip: see `refuse`.
        columns: optional `Columns` of the reader, whose `vectors` is set and whose
            `note` is called. Several label columns are no vectors.

    Attributes:
        width: int, the length of the vectors, or `None` if labels are no vectors.
        is_sampled: bool. Whether `width` is known, as from the first document on.
        path: the file that is being read.
        share: float in [0, 1]. Fraction of the part that has been read.

    Raises:
        BadInput: without `skip`, labels are not vectors like the others, or repeat an
            id, or have no name.

    Example:

    >>> from xmc_keras.data.formats.document import Document
    >>> documents = [Document("sea", ["0", "1", "1"], 1)]
    >>> [document.labels for document in LabelledDocuments(documents)]
    [['1', '2']]
    """

    def __init__(self, reader, sample_width=None, names=None, skip=None, columns=None):
        self.reader, self.sample_width, self.skip = reader, sample_width, skip
        self.width, self.is_sampled = None, False
        self.names, self.columns = names, columns or Columns()

    @property
    def path(self):
        return getattr(self.reader, "path", None)

    @property
    def share(self):
        return self.reader.share

    def __iter__(self):
        documents = ((self.path, document) for document in self.reader)
        first = []
        if self.sample_width is None:
            # With their paths: a reader of several files may be past some of them.
            first = list(itertools.islice(documents, SAMPLE))
            width = find_width(document for _, document in first)
            self.width = None if self.columns.several else width
        else:
            self.width = self.sample_width()
        self.is_sampled = True
        self.columns.vectors = self.width is not None
        if self.width:
            self.columns.note(
                f"Labels are vectors of {self.width} zeros and ones: place i, from 0, "
                f"is label i{f', such as {self.names[0]!r}' if self.names else ''}"
            )
        for path, document in itertools.chain(first, documents):
            labels, problem = self._labels(document.labels)
            if problem:
                received = f"Received: {', '.join(document.labels)[:60]}."
                refuse(self.skip, f"{problem} {received}", path, document.line)
            elif labels is document.labels:
                yield document
            else:
                yield document._replace(labels=labels)

    def _labels(self, found):
        """The labels of a document, and what was expected if they are wrong."""
        if self.width:
            found = _split_digits(found, self.width)
            if len(found) != self.width or not set(found) <= BITS:
                return None, (
                    f"Expected a vector of {self.width} zeros and ones, as most of the "
                    "first documents have."
                )
            found = [str(place) for place, bit in enumerate(found) if bit == "1"]
            if not found:
                return None, "Expected labels."
        is_ids = all(map(IDS.fullmatch, found))
        if is_ids and len(set(found)) < len(found):
            return None, (
                "Expected different label ids, or vectors of zeros and ones in all "
                "documents."
            )
        if self.names is None:
            return found, None
        named = name_labels(map(int, found), self.names) if is_ids else None
        return named, None if named else id_error(self.names)


def _split_digits(labels, width):
    """The digits of a label such as 0110, if it has this number of them."""
    is_one = len(labels) == 1 and len(labels[0]) == width
    return list(labels[0]) if is_one else labels


def _split_all_digits(lists):
    """The digits of labels such as 0110 and 1000, if all documents have one of these.

    One has to begin with 0, as label ids do not.
    """
    names = [labels[0] for labels in lists if len(labels) == 1]
    widths = set(map(len, names))
    if (
        len(names) < len(lists)
        or len(widths) != 1
        or not set("".join(names)) <= BITS
        or not any(len(name) > 2 and name[0] == "0" for name in names)
    ):
        return lists
    return list(map(list, names))


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
    lists = _split_all_digits(lists)
    vectors = [labels for labels in lists if set(labels) <= BITS]
    if not vectors:
        return None
    widths = Counter(map(len, vectors))
    width, _ = widths.most_common(1)[0]
    alike = len(widths) == 1 and len(vectors) == len(lists) and width > 1
    repeated = any(len(labels) > len(set(labels)) for labels in vectors)
    return width if alike or (repeated and 2 * len(vectors) > len(lists)) else None
