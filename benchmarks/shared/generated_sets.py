"""Generated data in the shape of the large benchmark sets, which cannot be shared.

Sizes and means are those of Table 2 of the LightXML paper. The distributions of words
and labels around them are made up; see `generated_set`.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import scipy.sparse

LABELS_A_TOPIC = 64
TOPICS_A_FIELD = 16
# Share of a document's labels, the first left out, that are from its own topic.
OWN_TOPIC = 0.85
# Sources of a document's words, the share of each, and the number of its features, of
# which the first are the most frequent.
BACKGROUND, FIELD, TOPIC, LABEL = range(4)
SHARES = (0.6, 0.12, 0.15, 0.13)
WORDS = {FIELD: 2000, TOPIC: 300, LABEL: 40}
# The words of fields, topics and labels are not among the most frequent: on a log scale
# their ranks begin at this share of the way from the most frequent to the rarest.
RARER = 0.3
SPREAD = 0.6  # standard deviation of the logarithm of a document's length
ROWS = 4096  # documents generated at a time
FEWEST = 100  # least number of documents, features and labels


class Shape(NamedTuple):
    """Statistics of a training part: N, D, L, L-bar and W-bar of Table 2."""

    documents: int
    features: int
    labels: int
    labels_a_document: float
    words_a_document: float

    def scaled(self, scale):
        """A smaller shape with the same means; no size goes below 100."""
        sizes = [max(FEWEST, round(size * scale)) for size in self[:3]]
        return Shape(*sizes, *self[3:])


SHAPES = {
    "amazon670k": Shape(490_449, 135_909, 670_091, 5.45, 247.33),
    "wiki500k": Shape(1_779_881, 2_381_304, 501_008, 4.75, 808.66),
}


def generated_set(shape, seed=0, threads=None):
    """Generates documents and their labels.

    A topic has 64 labels, a field 16 topics. The popularity of topics, and of labels
    within a topic, follows a power law. Every label has a document, every document has
    a label, and most labels of a document are from one topic. 60 % of a document's
    words are drawn by Zipf's law from all features; the others, also by Zipf's law,
    from the vocabulary of its field, its topic or one of its labels. Lengths are
    log-normal. A row is TF-IDF, same as in `fit_tfidf`. So there is structure to find:
    the labels of a topic, the topics of a field. Balanced 2-means takes about as many
    rounds as on Debian-24K.

    Args:
        shape: `Shape`, such as `SHAPES["amazon670k"].scaled(0.1)`.
        seed: integer. The result depends only on `shape` and `seed`.
        threads: optional integer. Defaults to the number of processors.

    Returns:
        `(features, label_matrix)`: float32 csr (documents, features), rows of norm 1,
        and float32 csr of ones, (documents, labels).

    Raises:
        ValueError: documents have too many labels for the size of a topic.
    """
    if shape.labels_a_document > min(LABELS_A_TOPIC, shape.labels) / 4:
        raise ValueError(
            "Expected `labels_a_document` of at most a quarter of the labels, and of "
            f"{LABELS_A_TOPIC}. Received: {shape}"
        )
    topic_of = _topics(shape, np.random.default_rng([seed, 0]))
    labels = _label_matrix(shape, *topic_of, np.random.default_rng([seed, 1]))
    rng = np.random.default_rng([seed, 2])
    lengths = rng.lognormal(0, SPREAD, shape.documents)
    lengths *= shape.words_a_document / lengths.mean()
    lengths = np.maximum(1, np.rint(lengths)).astype(np.int64)
    # In real data frequent words do not have neighbouring columns.
    place = rng.permutation(shape.features)

    # Pages that are never written take no memory: room for one feature per word costs
    # what the distinct ones need, and `resize` returns the rest without a copy.
    data = np.empty(lengths.sum(), np.float32)
    indices = np.empty(lengths.sum(), np.int32)
    indptr = np.zeros(shape.documents + 1, np.int64)
    begins = range(0, shape.documents, ROWS)

    def rows(first):
        part = slice(first, first + ROWS)
        rng = np.random.default_rng([seed, 3, first])
        of_topics = topic_of[0][part]
        return _words(shape, lengths[part], of_topics, labels[part], place, rng)

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        end = 0
        for first, (counts, *found) in zip(begins, pool.map(rows, begins)):
            start, end = end, end + len(found[0])
            indices[start:end], data[start:end] = found
            indptr[first + 1 :][: len(counts)] = start + np.cumsum(counts)
        for array in (data, indices):
            array.resize(end, refcheck=False)
        frequency = np.bincount(indices, minlength=shape.features)
        idf = 1 + np.log((1 + shape.documents) / (1 + frequency))
        idf = idf.astype(np.float32)

        def weigh(first):
            pointers = indptr[first : first + ROWS + 1]
            part = slice(pointers[0], pointers[-1])
            data[part] *= idf[indices[part]]
            squares = np.add.reduceat(np.square(data[part]), pointers[:-1] - part.start)
            data[part] /= np.repeat(np.sqrt(squares), np.diff(pointers))

        list(pool.map(weigh, begins))
    size = shape.documents, shape.features
    return scipy.sparse.csr_matrix((data, indices, indptr), size), labels


def _topics(shape, rng):
    """Topics of documents and of labels, int64 arrays in random order."""
    num_topics = max(1, shape.labels // LABELS_A_TOPIC)
    # Topic r has a popularity of 1 / sqrt(r); the last one has half the mean.
    share = (np.arange(shape.documents) + 0.5) / shape.documents
    documents = (num_topics * share**2).astype(np.int64)
    labels = np.arange(shape.labels) * num_topics // shape.labels
    return rng.permutation(documents), rng.permutation(labels)


def _label_matrix(shape, document_topics, label_topics, rng):
    """Ones (documents, labels) with the mean number of labels of `shape`."""
    num_topics = label_topics.max() + 1
    documents, labels = _Members(document_topics), _Members(label_topics)
    everything = np.arange(shape.labels)
    some = documents.some(label_topics, rng.random(shape.labels))
    pairs = some * shape.labels + everything
    bare = np.setdiff1d(np.arange(shape.documents), some)
    own = labels.some(document_topics[bare], _early(rng, len(bare)))
    pairs = np.union1d(pairs, bare * shape.labels + own)
    total = round(shape.documents * shape.labels_a_document)
    while (missing := total - len(pairs)) > 0:
        some = rng.integers(shape.documents, size=missing)
        topics = document_topics[some]
        field = topics - topics % TOPICS_A_FIELD
        other = field + rng.integers(TOPICS_A_FIELD, size=missing)
        own = rng.random(missing) < OWN_TOPIC
        topics = np.where(own, topics, np.minimum(other, num_topics - 1))
        found = labels.some(topics, _early(rng, missing))
        pairs = np.union1d(pairs, some * shape.labels + found)
    rows, columns = np.divmod(pairs, shape.labels)
    indptr = np.searchsorted(rows, np.arange(shape.documents + 1))
    ones = np.ones(len(pairs), np.float32)
    size = shape.documents, shape.labels
    return scipy.sparse.csr_matrix((ones, columns, indptr), size)


def _early(rng, size):
    """Random numbers in [0, 1) that pick one of 64 by Zipf's law."""
    power = LABELS_A_TOPIC ** rng.random(size)
    return (power - 1) / (LABELS_A_TOPIC - 1)


class _Members:
    """The members of each topic."""

    def __init__(self, topics):
        self.order = np.argsort(topics, kind="stable")
        self.count = np.bincount(topics)
        self.first = np.cumsum(self.count) - self.count

    def some(self, topics, share):
        """One member of each of `topics`, the one at `share` (0 to 1) of it."""
        place = (share * self.count[topics]).astype(np.int64)
        return self.order[self.first[topics] + place]


def _words(shape, lengths, topics, labels, place, rng):
    """Number of distinct features per document, these features, 1 + log(count)."""
    document = np.repeat(np.arange(len(lengths)), lengths)  # (words,)
    source = np.searchsorted(np.cumsum(SHARES[:-1]), rng.random(len(document)))
    rank = rng.random(len(document))
    for kind, words in WORDS.items():
        chosen = np.flatnonzero(source == kind)
        owner = topics[document[chosen]]
        if kind == FIELD:
            owner = owner // TOPICS_A_FIELD
        if kind == LABEL:
            first = labels.indptr[document[chosen]]
            count = labels.indptr[document[chosen] + 1] - first
            any_of = rng.random(len(chosen)) * count
            owner = labels.indices[first + any_of.astype(np.int64)]
        word = ((words + 1) ** rng.random(len(chosen))).astype(np.int64)
        rank[chosen] = RARER + (1 - RARER) * _hashed(kind, owner, word)
    # Zipf's law: the logarithm of a word's rank is uniform.
    feature = ((shape.features + 1) ** rank).astype(np.int64) - 1
    feature = place[np.minimum(feature, shape.features - 1)]
    keys = np.sort(document * shape.features + feature)
    distinct = np.flatnonzero(np.diff(keys, prepend=-1))
    times = np.diff(distinct, append=len(keys))
    document, feature = np.divmod(keys[distinct], shape.features)
    return np.bincount(document), feature, 1 + np.log(times)


def _hashed(kind, owner, word):
    """Uniform in [0, 1) by a hash, so that an owner always has the same vocabulary."""
    x = owner.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x += (word * len(SHARES) + kind).astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    for shift in (30, 27, 31):  # after splitmix64
        x ^= x >> np.uint64(shift)
        x *= np.uint64(0x94D049BB133111EB)
    return (x >> np.uint64(11)) * 2.0**-53
