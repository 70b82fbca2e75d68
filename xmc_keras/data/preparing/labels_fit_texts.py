"""Whether labels have to do with the texts that they stand beside."""

import itertools

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

SAMPLE, CHARACTERS, PAIRS = 10_000, 1000, 5000
FEWEST = 30  # pairs that tell something
LEAST = 4.0  # standard errors; chance alone is beyond it once in 30,000 data sets


def measure_label_fit(texts, labels):
    """Compares texts that share a label with texts that need not.

    A label file in another order than its texts has as many lines and looks right.
    But then texts that share a label are no more alike than any others.

    Args:
        texts: list of strings, a sample.
        labels: list of lists of strings, theirs.

    Returns:
        float: by how many standard errors the cosine of the TF-IDF of pairs that share
        a label is above that of the same documents paired at random; below about 4,
        labels say nothing. None where too few pairs share a label to tell.

    Example:

    >>> texts = ["sea wave", "sky cloud"] * 40
    >>> measure_label_fit(texts, [["water"], ["air"]] * 40) > 4
    True
    >>> measure_label_fit(texts, [[str(i)] for i in range(80)])
    """
    of_label = {}
    for document, names in enumerate(labels):
        for name in names:
            of_label.setdefault(name, []).append(document)
    pairs = [p for found in of_label.values() for p in itertools.pairwise(found)]
    if len(pairs) < FEWEST:
        return None
    rng = np.random.default_rng(0)
    pairs = np.array(pairs)
    pairs = pairs[rng.permutation(len(pairs))[:PAIRS]]
    words = HashingVectorizer(n_features=2**18, norm=None, alternate_sign=False)
    rows = words.transform(text[:CHARACTERS] for text in texts)
    rows = TfidfTransformer(sublinear_tf=True).fit_transform(rows)
    left, right = pairs.T
    # Another second document each, from the same ones: a cyclic shift in random order.
    cosines = _cosines(rows, left, right)
    cosines -= _cosines(rows, left, np.roll(right, 1))
    error = cosines.std() / np.sqrt(len(cosines))
    return float(cosines.mean() / error) if error else 0.0


def sample_documents(texts_path, labels_path, num_documents):
    """Texts and labels of about `SAMPLE` documents, spread over whole files.

    Args:
        texts_path, labels_path: paths of files as `FolderPart` reads them, in UTF-8.
        num_documents: int, their lines.
    """
    step = max(1, num_documents // SAMPLE)
    with open(texts_path, "rb") as texts, open(labels_path, "rb") as labels:
        return (
            [line.decode() for line in itertools.islice(texts, 0, None, step)],
            [line.decode().split() for line in itertools.islice(labels, 0, None, step)],
        )


def _cosines(rows, left, right):
    return np.asarray(rows[left].multiply(rows[right]).sum(axis=1)).ravel()
