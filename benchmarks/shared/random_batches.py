"""Batches of random tokens and labels, the same for every side of a benchmark."""

import numpy as np

POSITIVES = 8  # columns of `label_ids`, as `DocumentBatches` makes them


def random_batches(shape, count):
    """Yields `count` dictionaries of arrays, the inputs of a model.

    Args:
        shape: dictionary with `labels`, `labels_a_document` (their mean), `batch`,
            `tokens` and `vocabulary_size`, and for a LightDXML `shortlist`, its length.
    """
    random = np.random.default_rng(0)
    size = shape["batch"], shape["tokens"]
    for _ in range(count):
        # Ids above BERT's special tokens.
        token_ids = random.integers(999, shape["vocabulary_size"], size, "int32")
        found = 1 + random.poisson(shape["labels_a_document"] - 1, shape["batch"])
        label_ids = np.full((shape["batch"], POSITIVES), -1, "int32")
        for row, n in zip(
            label_ids, np.minimum(found, min(POSITIVES, shape["labels"]))
        ):
            row[:n] = np.sort(random.choice(shape["labels"], n, replace=False))
        x = {
            "token_ids": token_ids,
            "padding_mask": np.ones(size, bool),
            "label_ids": label_ids,
        }
        if "shortlist" in shape:
            n = shape["batch"], shape["shortlist"]
            x["shortlist"] = random.integers(shape["labels"], size=n, dtype="int32")
        yield x


def rectangle(num_labels, num_clusters):
    """Clusters of nearly equal size: int32 (num_clusters, cluster_size), -1 pads."""
    parts = np.array_split(np.arange(num_labels, dtype=np.int32), num_clusters)
    clusters = np.full((num_clusters, len(parts[0])), -1, np.int32)
    for row, labels in zip(clusters, parts):
        row[: len(labels)] = labels
    return clusters
