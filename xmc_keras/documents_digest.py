"""A digest of documents, to tell whether data changed."""

import hashlib


def documents_digest(documents):
    """Hex digest of what documents and their labels are.

    Args:
        documents: `Documents` or `FeatureDocuments`.

    Example:

    >>> from xmc_keras.text_folder import Documents
    >>> documents = Documents(["a", "b"], [["x"], ["y"]], [1, 2], "t.txt", "l.txt")
    >>> documents_digest(documents) == documents_digest(documents.subset([1, 0]))
    False
    """
    digest = hashlib.sha256()
    features = getattr(documents, "features", None)
    texts = documents.texts
    if features is not None:
        digest.update(repr(features.shape).encode())
        for array in (features.indptr, features.indices, features.data):
            digest.update(array.tobytes())
        texts = [""] * len(documents)
    for text, labels in zip(texts, documents.labels):
        # With its length, so that a border between two cannot move.
        for part in (text.encode(), " ".join(labels).encode()):
            digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()
