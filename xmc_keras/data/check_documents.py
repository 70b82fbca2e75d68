"""Checking that documents, labels and a model fit together."""

import itertools
import logging

from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.list_texts import has_words

logger = logging.getLogger(__name__)

FEWEST = 3  # documents, or propensities are undefined: ln N - 1 is negative


def check_trainable(documents):
    """Raises `BadInput` if documents are too few to train on, or say nothing.

    They need labels, and texts a letter or digit, or features a value.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> check_trainable(Documents(["a", "b", "c"], [["x"], [], ["y"]]))
    """
    if len(documents) < FEWEST:
        raise BadInput(
            f"Expected at least {FEWEST} documents to train on. Received: "
            f"{len(documents)}.",
            documents.texts_path,
        )
    if not any(documents.labels):
        raise BadInput(
            "Expected labels to train on. Received: documents without any.",
            documents.labels_path,
        )
    features = getattr(documents, "features", None)
    if features is None:
        found, what = has_words(documents.texts), "texts with at least one word"
    else:
        found, what = features.nnz > 0, "features with at least one value"
    if not found:
        raise BadInput(
            f"Expected {what} among them, to train on. Received: none in "
            f"{len(documents)} documents.",
            documents.texts_path,
        )


def check_labels_known(documents, label_set):
    """Logs how many labels of documents a model cannot know.

    Labels that training never saw are usual in other documents, and no error: they
    count as relevant, and no model can predict them. If none of the labels is known,
    the label file belongs to other data.

    Args:
        documents: `Documents` or `FeatureDocuments` to evaluate or to validate on.
        label_set: `LabelSet` of the training part.

    Raises:
        BadInput: the documents have labels, and none of them is in the set.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> from xmc_keras.labels.label_set import LabelSet
    >>> check_labels_known(Documents(["a"], [["x", "new"]]), LabelSet(["x", "y"]))
    """
    unknown = label_set.unknown(documents.labels)
    if not unknown:
        return
    names = {name for _, name in unknown}
    occurrences = sum(len(set(labels)) for labels in documents.labels)
    if len(unknown) == occurrences:
        index, name = unknown[0]
        others = f" and {len(names) - 1} others" if len(names) > 1 else ""
        raise BadInput(
            f"Expected labels of the training part, such as {label_set.names[0]!r}. "
            f"Received: {name[:80]!r}{others}.",
            documents.labels_path,
            documents.lines[index],
            "None is known: use the label file of the same data set. If it is, choose "
            "documents that share labels with the training part.",
        )
    logger.info(
        "%d of %d label occurrences (%d labels) in %s are not in the training data; "
        "they count as relevant and cannot be predicted.",
        *(len(unknown), occurrences, len(names)),
        documents.labels_path or "these documents",
    )


def check_split(train, validation, label_set):
    """Logs warnings about labels that a validation split takes from training.

    A label may be on documents to validate on alone: with one document a label all
    labels there are. Then every epoch is as wrong as the next on validation.

    Args:
        train, validation: documents to train on and to validate on.
        label_set: `LabelSet` of the whole training part.

    Raises:
        BadInput: there is no label on the documents to train on.

    Example:

    >>> from xmc_keras.data.documents import Documents
    >>> from xmc_keras.labels.label_set import LabelSet
    >>> train = Documents(["a", "b"], [["x"], ["y"]])
    >>> check_split(train, Documents(["c"], [["x", "new"]]), LabelSet(["x", "y"]))
    """
    trained = set(itertools.chain.from_iterable(train.labels))
    if not trained:
        raise BadInput(
            "Expected a label on the documents to train on. Received: none on "
            f"{len(train)}; those with labels are held back or left out.",
            train.labels_path,
            remedy="Set another split_seed, or label more documents.",
        )
    if len(trained) < len(label_set):
        logger.warning(
            "%d of %d labels have no training documents, because all of them are in "
            "the validation split or left out; the model can hardly predict them.",
            *(len(label_set) - len(trained), len(label_set)),
        )
    if trained.isdisjoint(itertools.chain.from_iterable(validation.labels)):
        logger.warning(
            "None of the %d validation documents has a label of the documents to train "
            "on: validation cannot find the best epoch, and the last one is kept.",
            len(validation),
        )


def check_reads_features(config, path):
    """Raises `BadInput` if the model of a config cannot read features."""
    if (config.system, config.encoder) != ("lightdxml", "words"):
        raise BadInput(
            "Expected texts for a transformer. Received: a file of features.",
            path,
            remedy="Set system: lightdxml and encoder: words, or choose a folder of "
            "texts.",
        )


def check_reads_texts(run):
    """Raises `BadInput` if the documents of a `RunFolder` are features."""
    if run.num_features() is not None:
        raise BadInput(
            "Expected a run on texts. Received: a run on features, which cannot be "
            "computed from texts.",
            run.path,
            remedy="Export it with `export`: the exported model takes features.",
        )
