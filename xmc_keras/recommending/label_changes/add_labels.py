"""New labels of a trained model, from a few example documents."""

import numpy as np
import scipy.sparse

from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.recommending.label_changes.change_labels import check_mapping
from xmc_keras.recommending.label_changes.copy_model import set_titles
from xmc_keras.recommending.label_changes.label_examples import LabelExamples
from xmc_keras.recommending.label_changes.unknown_words import find_wordless
from xmc_keras.recommending.recommend import check_reads_texts
from xmc_keras.text.list_texts import list_texts


def add_labels(model, examples, replay=None, found=None):
    """Adds labels to a trained model, from documents that have them.

    Nothing is trained. The row of a new label is the most probable one given its
    documents, old documents, and the rows of the labels that the model has, see
    `RowPrior`; a convex problem, so that the result is always the same. Where a model
    keeps words of labels or a linear model, these get rows as in training. All other
    weights are copied: the model gives the old labels the scores that it gave them.

    The new labels have the last ids, in the order given.

    Args:
        model: a `LightXML`, `OneVsAll`, `LightDXML` or `Hybrid` with label names that
            reads texts. It stays as it is.
        examples: dictionary from new names to lists of texts, at least one each, such
            as five to thirty documents that have the label; or its description, or its
            name in words, where there is no document. One text may be that of several
            labels.
        replay: optional `Documents` of the model's training. They teach rows what does
            not have the label, and how frequent labels are. Without them, scores of
            new labels are rather too high. Their texts that are in `examples` are left
            out.
        found: optional dictionary, the metrics of the model's training. A model that
            is joined with a linear one finds the weights of its members there;
            otherwise usual weights are taken.

    Returns:
        A new model, not compiled.

    Raises:
        BadInput: a name exists or is no name, a label has no text or none with a word
            that the model knows, or `replay` has none of the model's labels.

    Example:

    >>> from xmc_keras import LightDXMLClassifier
    >>> texts = ["a puzzle game", "a game of cards", "a text editor"] * 10
    >>> labels = [["game"], ["game"], ["editor"]] * 10
    >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels).model_
    >>> other = add_labels(model, {"cards": ["a game of cards", "cards"]})
    >>> other.label_set.names
    ['editor', 'game', 'cards']
    """
    check_reads_texts(model, "to add labels")
    texts = check_examples(model.label_set, examples)
    documents = list(dict.fromkeys(text for own in texts.values() for text in own))
    place_of = {text: place for place, text in enumerate(documents)}
    pairs = [
        (place_of[text], column)
        for column, own in enumerate(texts.values())
        for text in dict.fromkeys(own)
    ]
    rows, columns = np.array(pairs).T
    matrix = scipy.sparse.csr_matrix(
        (np.ones(len(pairs), np.float32), (rows, columns)), (len(documents), len(texts))
    )
    wordless = find_wordless(model, documents)
    known = np.asarray(matrix[~wordless].sum(axis=0)).ravel()
    if not known.all():
        name = list(texts)[int(np.argmin(known))]
        raise BadInput(
            f"Expected a text with a word that the model knows for {name!r:.60}. "
            f"Received: {texts[name][0]!r:.60}.",
            remedy="Describe the label in words of the documents.",
        )
    old_texts, counts = [], None
    if replay is not None:
        old_texts = [text for text in replay.texts if text not in place_of]
        counts = count_labels(model.label_set, replay)
    given = LabelExamples(
        list(texts), documents, matrix, old_texts, counts, found or {}
    )
    added = model.extend_labels(given)
    set_titles(added, model.label_set.titles)
    if model.calibration is not None:
        counts = np.asarray(matrix.sum(axis=0)).ravel()
        added.calibration = model.calibration.extend_labels(counts)
    return added


def check_examples(label_set, examples):
    """The examples as a dictionary from names to lists of texts; raises `BadInput`."""
    known, found = set(label_set.names), {}
    for name, texts in check_mapping(examples).items():
        if name in known:
            raise BadInput(
                f"Expected names of new labels. Received: {name!r:.60}, which exists.",
                remedy="Leave it out, or let the model learn its documents by `learn`.",
            )
        try:
            LabelSet([name])
            own = list_texts(texts)
        except ValueError as error:
            raise BadInput(f"{error}".rstrip(".") + f", for {name!r:.60}.") from None
        if blank := [text for text in own if not text.strip()]:
            raise BadInput(
                f"Expected texts for {name!r:.60}. Received: {blank[0]!r:.60}, a blank "
                "one."
            )
        if not own:
            raise BadInput(
                f"Expected at least one text for {name!r:.60}. Received: none.",
                remedy="Give a document that has the label, or a description.",
            )
        found[name] = own
    return found


def count_labels(label_set, documents):
    """Documents of each label, int array (labels,); raises `BadInput` if all are 0."""
    matrix = label_set.encode(documents.labels)
    counts = np.asarray(matrix.sum(axis=0)).ravel()[: len(label_set)].astype(np.int64)
    if not counts.any():
        raise BadInput(
            "Expected documents with labels of the model, such as "
            f"{label_set.names[0]!r:.60}. Received: documents with others."
        )
    return counts
