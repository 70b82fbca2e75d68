"""Sizes of a config that depend on its data."""

import dataclasses
import math
from pathlib import Path

from xmc_keras.config.at_most import AtMost
from xmc_keras.data.splits import choose_validation_size
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_clustering import choose_top_k, compute_cluster_shape

# Keys whose values may be too large for a data set. Others, such as num_neighbors,
# batch_size and num_predictions, already mean "as many as there are" there.
SIZES = ("train_documents", "validation_documents", "top_k", "block_labels")
# Keys whose null stands for an integer.
RESOLVED = ("validation_documents", "top_k", "swa_every")
SWA_EVERY = 100  # steps between two averages by default


def resolve_config(config, num_documents, num_labels):
    """Replaces the sizes that depend on the data, null or `AtMost`, by integers.

    `validation_documents` is a tenth of the documents, from 1 to 1,000, and `top_k` is
    20, or the number of clusters if that is less. With SWA, `swa_every` is 100, or the
    steps of an epoch. An `AtMost` is lowered to what there is, and
    `validation_documents` of more than half of the documents to a tenth. An integer
    stays as it is: if it does not fit, training raises an error.

    Args:
        config: a `Config`.
        num_documents: int, documents of the whole training part. If it is None, sizes
            that depend on it stay as they are.
        num_labels: int.

    Returns:
        A `Config`.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = resolve_config(Config(encoder="minilm", max_leaf=10), 200, 30)
    >>> config.validation_documents, config.top_k
    (20, 4)
    """
    changes = {}
    if config.system == "lightxml":
        num_clusters, _ = compute_cluster_shape(num_labels, config.max_leaf)
        changes["top_k"] = choose_top_k(config.top_k, num_clusters)
    if isinstance(config.block_labels, AtMost):
        changes["block_labels"] = min(int(config.block_labels), num_labels)
    if num_documents is not None:
        held_out = choose_validation_size(config.validation_documents, num_documents)
        changes["validation_documents"] = held_out
        if isinstance(config.train_documents, AtMost):
            left = max(1, num_documents - held_out)
            changes["train_documents"] = min(int(config.train_documents), left)
        if config.swa_start is not None and config.swa_every is None:
            trained = changes.get("train_documents", config.train_documents)
            steps = math.ceil((trained or num_documents - held_out) / config.batch_size)
            changes["swa_every"] = max(1, min(SWA_EVERY, steps))
    return dataclasses.replace(config, **changes)


def choose_level_top_k(config):
    """The clusters that a config keeps at each of its levels, a list.

    Args:
        config: a `Config` whose `top_k` is resolved.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> choose_level_top_k(Config(encoder="minilm", levels=[16, 128], top_k=20))
    [16, 20]
    """
    numbers = config.levels or []
    return config.level_top_k or [min(config.top_k, number) for number in numbers]


def check_levels(config, num_labels):
    """Raises `BadInput` if the levels of a config do not fit the number of labels.

    Args:
        config: a `Config` of LightXML whose `top_k` is resolved.
        num_labels: int.
    """
    num_clusters, _ = compute_cluster_shape(num_labels, config.max_leaf)
    if config.max_leaf > 1 and config.top_k > num_clusters:
        raise BadInput(
            f"Expected top_k to be at most the number of clusters, {num_clusters}. "
            f"Received: top_k={config.top_k}.",
            remedy="Lower top_k or max_leaf, or leave top_k out.",
        )
    numbers, kept = config.levels or [], choose_level_top_k(config)
    if numbers and numbers[-1] >= num_clusters:
        raise BadInput(
            f"Expected levels below the number of clusters, {num_clusters}, for "
            f"{num_labels} labels with max_leaf={config.max_leaf}. Received: "
            f"levels={numbers}.",
            remedy="Lower levels or max_leaf, or leave levels out.",
        )
    below = [*numbers[1:], num_clusters], [*kept[1:], config.top_k]
    for number, most, children, wanted in zip(numbers, kept, *below):
        offered = most * -(-children // number)
        if wanted > offered:
            raise BadInput(
                f"Expected level_top_k whose {most} of {number} clusters hold the "
                f"{wanted} that the next level keeps. Received: at most {offered}.",
                remedy="Raise level_top_k, or lower top_k.",
            )


def is_resolved(key, value, integer):
    """Whether `resolve_config` may have made `integer` of the value of a key.

    Example:

    >>> [is_resolved("top_k", value, 20) for value in (None, AtMost(50), 50)]
    [True, True, False]
    """
    if value is None:
        return key in RESOLVED
    return isinstance(value, AtMost) and integer is not None and integer <= value


def limit_sizes(config, documents):
    """Makes the sizes of a config limits, unless documents are of the config's data.

    A recipe read by `load_config` names its data, but `fit` may get any documents. A
    config without data keeps its sizes. Documents without groups are not drawn by them,
    nor are texts of labels learnt where there are none.

    Example:

    >>> from xmc_keras import Config, Documents
    >>> config = Config(data="tags", encoder="minilm", top_k=50)
    >>> config = limit_sizes(config, Documents(["a text"], [["a label"]]))
    >>> resolve_config(config, 10, 30).top_k
    1
    """
    path = documents.texts_path
    if config.data is None:
        return config
    if path is not None and Path(config.data).resolve() in Path(path).resolve().parents:
        return config
    sizes = {key: getattr(config, key) for key in SIZES}
    changes = {k: AtMost(size) for k, size in sizes.items() if size is not None}
    if documents.groups is None:
        changes["validation_by"] = None
    if getattr(documents, "label_texts", None) is None:
        changes["label_documents"] = False
    if getattr(documents, "label_titles", None) is None:
        changes["titles"] = False
    return dataclasses.replace(config, **changes)


def describe_sizes(before, after):
    """The sizes that `resolve_config` chose, in words; empty if it chose none.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(encoder="minilm")
    >>> describe_sizes(config, resolve_config(config, 200, 30))
    'validation_documents: 20, top_k: 1'
    """
    parts = []
    for key in dict.fromkeys((*SIZES, *RESOLVED)):
        old, new = getattr(before, key), getattr(after, key)
        if old is None and new is not None:
            parts.append(f"{key}: {new}")
        elif old != new:
            parts.append(f"{key}: {new} instead of {old}")
    return ", ".join(parts)
