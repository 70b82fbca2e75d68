"""Changes of a fitted classifier: other labels, and corrections."""

import dataclasses

import numpy as np

from xmc_keras.classifiers.label_names import check_classes, read_labels
from xmc_keras.classifiers.labelled_texts import read_labelled_texts
from xmc_keras.data.documents import Documents
from xmc_keras.recommending.label_changes.change_labels import check_mapping


def add_labels(classifier, examples):
    """Does what `TextClassifier.add_labels` says."""
    named = dict(zip(map(str, check_mapping(examples)), examples.values()))
    before, replay = classifier.model_, own_documents(classifier)
    found = getattr(classifier, "metrics_", None)
    model = before.add_labels(named, replay, found)
    classes = [*classifier.classes_]
    known = set(map(str, classes))
    classes += [label for label in examples if str(label) not in known]
    counts = [len(set(texts)) for texts in map(list, named.values())]
    labels_of = {}
    for name, texts in named.items():
        for text in texts:
            labels_of.setdefault(text, []).append(name)
    finish(
        classifier,
        model,
        classes,
        np.concatenate([classifier.label_counts_, counts]),
        add_documents(replay, labels_of),
        len(labels_of),
    )


def remove_labels(classifier, labels):
    """Does what `TextClassifier.remove_labels` says."""
    before = classifier.model_
    names = labels if isinstance(labels, str) else list(map(str, labels))
    model = before.remove_labels(names)
    gone = set(names)
    kept = [name not in gone for name in before.label_set.names]
    replay = own_documents(classifier)
    if replay is not None:
        rows = [[x for x in own if x not in gone] for own in replay.labels]
        replay = dataclasses.replace(replay, labels=rows)
    classes = [label for label in classifier.classes_ if str(label) not in gone]
    finish(classifier, model, classes, classifier.label_counts_[kept], replay)


def rename_labels(classifier, labels):
    """Does what `TextClassifier.rename_labels` says."""
    others = {str(label): other for label, other in check_mapping(labels).items()}
    names = {label: str(other) for label, other in others.items()}
    model = classifier.model_.rename_labels(names)
    classes = [others.get(str(label), label) for label in classifier.classes_]
    replay = own_documents(classifier)
    if replay is not None:
        rows = [[names.get(x, x) for x in own] for own in replay.labels]
        replay = dataclasses.replace(replay, labels=rows)
    finish(classifier, model, classes, classifier.label_counts_, replay)


def learn(classifier, X, y):
    """Does what `TextClassifier.learn` says."""
    known = classifier.classes_.tolist()
    documents, _, classes = read_labelled_texts(X, y, known, new=True)
    replay = own_documents(classifier)
    found = getattr(classifier, "metrics_", None)
    before = len(classifier.model_.label_set)
    model = classifier.model_.learn(documents.texts, documents.labels, replay, found)
    named = {
        str(label): label for own in read_labels(y, known, True)[1] for label in own
    }
    seen = set(map(str, known))
    new = [named[name] for name in model.label_set.names if name not in seen]
    counts = np.zeros(len(model.label_set), np.int64)
    counts[:before] = classifier.label_counts_
    added = model.label_set.encode(documents.labels).sum(axis=0)
    counts += np.asarray(added).ravel().astype(np.int64)
    labels_of = dict(zip(documents.texts, documents.labels))
    if replay is not None:  # the labels of before were wrong, or not all
        kept = [i for i, text in enumerate(replay.texts) if text not in labels_of]
        replay = replay.subset(kept)
    replay = add_documents(replay, labels_of)
    finish(classifier, model, [*known, *new], counts, replay, len(labels_of))


def own_documents(classifier):
    """The `Documents` of `fit`, or None: of a loaded classifier, or features."""
    documents = getattr(classifier, "_documents", None)
    return documents if isinstance(documents, Documents) else None


def add_documents(documents, labels_of):
    """`Documents` with further ones; those with a text that is there gain labels.

    Args:
        documents: `Documents`, or None.
        labels_of: dictionary from texts to lists of names.

    Returns:
        `Documents`, or None if there are none before.

    Example:

    >>> found = add_documents(Documents(["a"], [["x"]]), {"a": ["y"], "b": ["y"]})
    >>> found.texts, found.labels
    (['a', 'b'], [['x', 'y'], ['y']])
    """
    if documents is None:
        return None
    known = set(documents.texts)
    pairs = zip(documents.texts, documents.labels)
    rows = [
        list(dict.fromkeys([*own, *labels_of.get(text, ())])) for text, own in pairs
    ]
    new = [text for text in labels_of if text not in known]
    rows += [labels_of[text] for text in new]
    return Documents([*documents.texts, *new], rows)


def finish(classifier, model, classes, counts, documents, num_added=0):
    """Gives a classifier its changed model, and what belongs to it."""
    classifier._set_fitted(
        model,
        classifier.config_,
        check_classes(classes),
        counts,
        classifier.num_documents_ + num_added,
        classifier.label_kind_,
    )
    if documents is not None:
        classifier._documents = documents
