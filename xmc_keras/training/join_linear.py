"""Joining a linear one-vs-all model and a trained LightDXML."""

import logging

import keras
import numpy as np
import scipy.sparse

from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.metrics.ranking_metrics import precision_at_k
from xmc_keras.one_vs_all.fit_one_vs_all import are_few, fit_one_vs_all, mean_weights
from xmc_keras.one_vs_all.member_weights import (
    BANDS,
    collect_candidates,
    find_bands,
    fit_member_weights,
)
from xmc_keras.one_vs_all.negative_documents import NegativeDocuments
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll

logger = logging.getLogger(__name__)

# Weights of classifier, words of labels and linear model, and the bias: round means of
# those fitted on the validation splits of four data sets.
PRIOR = (0.4, 0.5, 2.5, -0.2)
# A joined weight is kept if it changes the logit of the mean document that has the word
# by so much. On Debian-24K a document then reads 23,000 weights instead of 174,000, for
# the same P@k.
LEAST_CHANGE = 0.06
MEMBERS = ("classifier", "words", "linear")
PENALTIES = (1.0, 4.0)  # values of C to choose from, the first by default
# With fewer pairs of a document and a label, each value of C is tried in seconds.
FEW_PAIRS = 2e7
# Share of documents held back from which on the linear model is fitted again on all.
REFIT = 0.03


def join_linear(config, model, train, validation, refit, phases):
    """Adds a linear one-vs-all model to a trained `LightDXML`.

    A `fit_one_vs_all` learns rare labels and small data better than the classifier,
    which generalises better over many documents. The logits of both, and of the words
    of labels, are joined by weights for each band of labels by frequency,
    fitted on the validation documents (`fit_member_weights`), so that scores are
    probabilities. Then the linear model and the words of labels are made again of all
    documents, if those for validation are more than a few.

    In the joined model the weights are multiplied into the members, and the words of
    labels are part of the linear rows: it has `linear` instead of `lexical`, and ranks
    all labels by the sum.

    Args:
        config: a `Config` of `system: lightdxml` with `linear`.
        model: a `LightDXML` with `lexical`.
        train, validation: pairs of a csr matrix (documents, features), and of a csr
            matrix (documents, labels).
        refit: bool. Whether the validation documents may be learnt from once the
            weights are chosen.
        phases: a `PhaseSeconds`.

    Returns:
        `(joined, found)`: a `LightDXML`, and a dictionary for the metrics of the run:
        `linear_c`, `member_weights` (bands, 4), in the order of classifier, words,
        linear and bias, `validation` in percent, before they were learnt from, and
        `learnt_validation`, whether they were.
    """
    with phases("linear model"):
        c, linear = _fit_best(config, model, train, validation)
    with phases("member weights"):
        features = _encode(model, validation[0])
        weights, precisions = _fit_weights(model, features, linear, train, validation)
    logger.info(
        "Joined on the validation split: %s",
        ", ".join(f"{name} {value:.2f}" for name, value in precisions.items()),
    )
    documents = train
    share = validation[0].shape[0] / (train[0].shape[0] + validation[0].shape[0])
    refit = refit and share >= REFIT
    if refit:
        documents = [
            scipy.sparse.vstack(parts, format="csr") for parts in zip(train, validation)
        ]
        with phases("words"):
            model.lexical.refresh(*documents)
        with phases("linear model"):
            linear = _fit(config, model, documents, c)
    bands = find_bands(np.asarray(documents[1].sum(axis=0)).ravel())
    joined = _build(model, linear, weights[bands], mean_weights(documents[0]))
    found = {
        "linear_c": c,
        "member_weights": weights.round(4).tolist(),
        "validation": precisions,
        "learnt_validation": refit,
    }
    return joined, found


def _fit(config, model, documents, c):
    features, labels = documents
    negatives = None
    if not are_few(*labels.shape):
        words = model.lexical.sparse_rows()  # (labels, features)
        negatives = NegativeDocuments(features, labels, words, config.seed)
    return fit_one_vs_all(features, labels, negatives, c)


def _fit_best(config, model, train, validation):
    """The value of C that ranks validation documents best, and its rows and bias."""
    if config.linear_c is not None:
        return config.linear_c, _fit(config, model, train, config.linear_c)
    few = train[1].shape[0] * train[1].shape[1] <= FEW_PAIRS
    found = {}
    for c in PENALTIES if few else PENALTIES[:1]:
        rows, bias = found[c] = _fit(config, model, train, c)
        if few:
            margins = (validation[0] @ rows.T).toarray() + bias
            top = np.argsort(-margins, axis=1, kind="stable")[:, :5]
            found[c] += (sum(_precisions(top, validation[1]).values()),)
    best = max(found, key=lambda c: (found[c][2:], -c))
    return best, found[best][:2]


def _encode(model, features):
    from xmc_keras.data.inputs import build_inputs

    return encode_documents(model.encoder, build_inputs(model, features))


def _fit_weights(model, encoded, linear, train, validation):
    """Weights (bands, 4) of the members, and the precisions that they give."""
    table, bias = (
        np.asarray(part.numpy(), np.float32)
        for part in (model.classifier.label_weights, model.classifier.label_bias)
    )
    words = _word_rows(model).T.tocsr()
    rows, row_bias = linear[0].T.tocsr(), linear[1]
    features, relevant = validation

    def score_block(start, end):
        block = features[start:end]
        return [
            encoded[start:end] @ table.T + bias,
            (block @ words).toarray(),
            (block @ rows).toarray() + row_bias,
        ]

    found = collect_candidates(score_block, relevant, len(MEMBERS))
    documents, labels, logits, targets = found
    counts = np.asarray(train[1].sum(axis=0)).ravel()[labels]
    bands = find_bands(counts)
    weights = np.tile(PRIOR, (len(BANDS) + 1, 1))
    # A label without documents has scores that say nothing of others.
    known = counts > 0
    if targets[known].any():
        pairs = logits[known], targets[known], bands[known]
        weights = fit_member_weights(*pairs, PRIOR)
    joined = np.sum(logits * weights[bands, :-1], axis=1) + weights[bands, -1]
    order = np.lexsort((-joined, documents))  # best first in each document
    starts = np.searchsorted(documents[order], np.arange(relevant.shape[0]))
    top = labels[order][starts[:, None] + np.arange(min(5, relevant.shape[1]))]
    return weights, _precisions(top, relevant)


def _word_rows(model):
    """Weights (labels, features) csr of the words of labels, with gains and scale."""
    lexical = model.lexical
    gains = lexical.gains.numpy()[:, 0] * float(lexical.scale.numpy())
    return (lexical.sparse_rows() @ scipy.sparse.diags_array(gains)).tocsr()


def _precisions(top, relevant):
    return {
        f"P@{k}": round(100 * precision_at_k(top[:, :k], relevant, k), 4)
        for k in (1, 3, 5)
    }


def _build(model, linear, weights, means):
    """The joined `LightDXML`, with weights (labels, 4) of its members."""
    classifier, words, own, bias = weights.astype(np.float32).T
    rows = scipy.sparse.diags_array(own) @ linear[0]
    rows = (rows + scipy.sparse.diags_array(words) @ _word_rows(model)).tocsr()
    rows.data[np.abs(rows.data) * means[rows.indices] < LEAST_CHANGE] = 0
    rows.eliminate_zeros()
    layer = SparseOneVsAll(*rows.shape, rows.nnz, name="linear")
    config = model.get_config() | {
        "lexical": None,
        "linear": keras.saving.serialize_keras_object(layer),
        "candidates_from": "classifier",
        "beta": 1.0,
    }
    joined = LightDXML.from_config(config)
    joined.vectorizer, joined.label_set = model.vectorizer, model.label_set
    inputs = {"token_ids": (None, None), "token_weights": (None, None)}
    joined.build(inputs)
    joined.linear.refresh(rows, weights[:, 2] * linear[1] + bias)
    for part in ("encoder", "nearest"):
        getattr(joined, part).set_weights(getattr(model, part).get_weights())
    table, label_bias = model.classifier.get_weights()
    joined.classifier.set_weights(
        [table * classifier[:, None], label_bias * classifier]
    )
    return joined
