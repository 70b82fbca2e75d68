"""Learning from corrections."""

import numpy as np

from xmc_keras.data.documents import Documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.recommending.label_changes.add_labels import add_labels, count_labels
from xmc_keras.recommending.label_changes.copy_model import set_titles
from xmc_keras.recommending.label_changes.corrections import Corrections
from xmc_keras.recommending.recommend import check_reads_texts, rank_labels

RANKED = 10  # labels of a model's answer that are corrected
OLD_DOCUMENTS = 4000  # whose answers should stay


def learn(model, texts, labels, replay=None, found=None):
    """Learns documents with their right labels, such as a person's corrections.

    The rows of the labels that apply, and of those that the model ranks high for these
    documents, change as little as it takes: the least by what it costs old documents,
    see `RowCorrections`. That is a convex problem, solved in seconds, and the result is
    always the same. A `LightXML` changes its clusters' scores, too, and a model with
    linear rows of words these. Encoders stay as they are, and in a `Hybrid` all of the
    transformer. Labels that the model does not know are added first, see `add_labels`.

    For many thousand documents, or new kinds of texts, train instead, starting from the
    model: `fit` with `start_from`.

    Args:
        model: see `add_labels`. It stays as it is.
        texts: list of strings.
        labels: list of lists of strings. All labels that apply to each text; may be
            empty.
        replay: optional `Documents` of the model's training, whose answers should
            stay. Without them the answers to the texts themselves are what stays
            elsewhere, and other documents may lose more.
        found: see `add_labels`.

    Returns:
        A new model, not compiled.

    Raises:
        BadInput: texts and labels do not fit together, there are none, or see
            `add_labels`.

    Example:

    >>> from xmc_keras import LightDXMLClassifier
    >>> texts = ["a puzzle game", "a game of cards", "a text editor"] * 10
    >>> labels = [["game"], ["game"], ["editor"]] * 10
    >>> model = LightDXMLClassifier(epochs=2, verbose=False).fit(texts, labels).model_
    >>> model.learn(["a puzzle editor"], [["game"]]).label_set.names
    ['editor', 'game']
    """
    check_reads_texts(model, "to learn from corrections")
    try:
        documents = Documents(texts, labels)
    except ValueError as error:
        raise BadInput(str(error)) from None
    if not len(documents):
        raise BadInput("Expected texts to learn from. Received: none.")
    if blank := [text for text in documents.texts if not text.strip()]:
        raise BadInput(f"Expected texts. Received: {blank[0]!r:.60}, a blank one.")
    known, examples = set(model.label_set.names), {}
    for text, names in zip(documents.texts, documents.labels):
        for name in names:
            if name not in known:
                examples.setdefault(name, []).append(text)
    if replay is not None:
        count_labels(model.label_set, replay)
    if examples:
        changed = add_labels(model, examples, replay, found)
    else:
        names = model.label_set.names
        changed = model.select_labels(np.arange(len(names)), names)
        set_titles(changed, model.label_set.titles)
        changed.calibration = model.calibration
    own = set(documents.texts)
    old = [] if replay is None else [t for t in replay.texts if t not in own]
    order = np.random.default_rng(0).permutation(len(old))[:OLD_DOCUMENTS]
    predicted, _ = rank_labels(changed, documents.texts)
    # Rows are corrected by the model's own scores.
    calibration, changed.calibration = changed.calibration, None
    corrected = changed.correct_labels(
        Corrections(
            documents.texts,
            changed.label_set.encode(documents.labels),
            predicted[:, :RANKED],
            [old[i] for i in order] or documents.texts,
        )
    )
    set_titles(corrected, changed.label_set.titles)
    corrected.calibration = calibration
    return corrected
