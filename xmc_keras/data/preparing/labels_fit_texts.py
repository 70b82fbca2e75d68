"""Check whether labels belong to their texts."""

import itertools

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

SAMPLE, CHARACTERS, PAIRS = 10_000, 1000, 5000
FEWEST = 30  # pairs required for a result
LEAST = 4.0  # standard errors; exceeded by chance once in 30,000 data sets


def measure_label_fit(texts, labels):
    """Measures whether texts with a common label are more similar than others.

    A label file in another order than its texts has the right number of lines and looks
    correct. But then texts with a common label are no more similar than any others.

    Args:
        texts: list of strings, a sample.
        labels: list of lists of strings. The labels of each text.

    Returns:
        float: the difference, in standard errors, between the mean TF-IDF cosine of
        pairs with a common label and that of the same documents paired at random. Below
        about 4, the labels are unrelated to the texts. `None` if too few pairs have a
        common label.

    Example:

    >>> texts = ["sea wave", "sky cloud"] * 40
    >>> measure_label_fit(texts, [["water"], ["air"]] * 40) > 4
    True
    >>> measure_label_fit(texts, [[str(i)] for i in range(80)])
    """
    documents_of = {}
    for document, names in enumerate(labels):
        for name in names:
            documents_of.setdefault(name, []).append(document)
    pairs = [p for group in documents_of.values() for p in itertools.pairwise(group)]
    if len(pairs) < FEWEST:
        return None
    rng = np.random.default_rng(0)
    pairs = np.array(pairs)
    pairs = pairs[rng.permutation(len(pairs))[:PAIRS]]
    words = HashingVectorizer(n_features=2**18, norm=None, alternate_sign=False)
    rows = words.transform(text[:CHARACTERS] for text in texts)
    rows = TfidfTransformer(sublinear_tf=True).fit_transform(rows)
    left, right = pairs.T
    # The pairs are in random order: a cyclic shift pairs the same documents at random.
    cosines = _cosines(rows, left, right)
    cosines -= _cosines(rows, left, np.roll(right, 1))
    error = cosines.std() / np.sqrt(len(cosines))
    return float(cosines.mean() / error) if error else 0.0


def sample_documents(texts_path, labels_path, num_documents):
    """Reads about `SAMPLE` documents, evenly spaced over the whole files.

    Args:
        texts_path, labels_path: paths of plain UTF-8 files in the format of
            `FolderPart`.
        num_documents: int. Number of lines of each file.

    Returns:
        `(texts, labels)`, a list of strings and a list of lists of strings.
    """
    step = max(1, num_documents // SAMPLE)
    with open(texts_path, "rb") as texts, open(labels_path, "rb") as labels:
        return (
            [line.decode() for line in itertools.islice(texts, 0, None, step)],
            [line.decode().split() for line in itertools.islice(labels, 0, None, step)],
        )


def _cosines(rows, left, right):
    return np.asarray(rows[left].multiply(rows[right]).sum(axis=1)).ravel()
