"""Joining a linear one-vs-all model and a trained LightDXML."""

import logging

import keras
import numpy as np
import scipy.sparse
from scipy.special import expit

from xmc_keras.encoders.encode_documents import encode_documents
from xmc_keras.labels.label_bands import BANDS, find_bands
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.metrics.ranking_metrics import precision_at_k
from xmc_keras.one_vs_all.collect_candidates import (
    CANDIDATES,
    SCORES,
    collect_candidates,
)
from xmc_keras.one_vs_all.fit_one_vs_all import are_few, fit_one_vs_all, mean_weights
from xmc_keras.one_vs_all.member_prior import PRIOR, PRIOR_WITH_TRANSFORMER
from xmc_keras.one_vs_all.negative_documents import NegativeDocuments
from xmc_keras.one_vs_all.sparse_one_vs_all import SparseOneVsAll
from xmc_keras.recommending.calibration.fit_band_weights import fit_band_weights
from xmc_keras.recommending.hybrid import find_logits
from xmc_keras.recommending.rank_together import unite_labels

logger = logging.getLogger(__name__)

# A joined weight is kept if it changes the logit of the mean document that has the word
# by at least one of these, the first that costs no more than `LOSS` of P@1 + P@3 + P@5
# on the validation split. By the first a document of Debian-24K reads 23,000 weights
# instead of 174,000.
LEAST_CHANGES, LOSS = (0.06, 0.03, 0.015, 0.0), 0.3
# C up to `FEW_PAIRS` of a document and a label, and above. With 4 instead of 1 the
# joined model is better on two small validation splits, and as good on two; with 0.5 it
# is better on Debian-24K, held out by source package, and a third smaller.
FEW_PAIRS, C_OF_FEW, C_OF_MANY = 2e7, 4.0, 0.5
# Share of documents held back from which on the linear model is fitted again on all.
REFIT = 0.03


def join_linear(config, model, train, validation, refit, phases, transformer=None):
    """Adds a linear one-vs-all model to a trained `LightDXML`.

    A `fit_one_vs_all` learns rare labels and small data better than the classifier,
    which generalises better over many documents. The logits of both, and of the words
    of labels, are joined by weights for each band of labels by frequency,
    fitted on the validation documents (`fit_band_weights`), so that scores are
    probabilities. Then the linear model and the words of labels are made again of all
    documents, if those for validation are more than a few.

    In the joined model the weights are multiplied into the members, and the words of
    labels are part of the linear rows: it has `linear` instead of `lexical`, and ranks
    all labels by the sum.

    With a transformer, its logits are one more member, to which the joined model is
    the rest of a `Hybrid`.

    Args:
        config: a `Config` of `system: lightdxml` with `linear`.
        model: a `LightDXML` with `lexical`.
        train, validation: triples of a csr matrix (documents, features), a csr matrix
            (documents, labels), and an array of the weights of documents or None.
        refit: bool. Whether the validation documents may be learnt from once the
            weights are chosen.
        phases: a `PhaseSeconds`.
        transformer: optional `MemberScores` of the validation documents.

    Returns:
        `(joined, found, ranking)`: a `LightDXML`; a dictionary for the metrics of the
        run: `linear_c`, `member_weights` (bands, 4), in the order of classifier, words,
        linear, transformer, if there is one, and bias, `least_change`, the least change
        of a logit by a weight that is kept, `validation` in percent, before they were
        learnt from, and `learnt_validation`, whether they were; and the labels and
        scores of the validation documents, before, both (documents, num_predictions),
        best first, `-1` pads.
    """
    c = config.linear_c
    if c is None:
        c = C_OF_FEW if np.prod(train[1].shape) <= FEW_PAIRS else C_OF_MANY
    with phases("linear model"):
        linear = _fit(config, model, train, c)
    with phases("member weights"):
        encoded = _encode(model, validation[0])
        weights = _fit_weights(model, encoded, linear, train, validation, transformer)
        least, precisions, ranking = _choose_least(
            encoded,
            validation,
            _join(model, linear, weights, train),
            transformer and (transformer, weights[find_bands(_counts(train)), 3]),
            config.num_predictions,
        )
    logger.info(
        "Joined on the validation split: %s",
        ", ".join(f"{name} {value:.2f}" for name, value in precisions.items()),
    )
    documents = train
    share = validation[0].shape[0] / (train[0].shape[0] + validation[0].shape[0])
    refit = refit and share >= REFIT
    if refit:
        features, labels, weights_of = zip(train, validation)
        documents = (
            scipy.sparse.vstack(features, format="csr"),
            scipy.sparse.vstack(labels, format="csr"),
            None if train[2] is None else np.concatenate(weights_of),
        )
        with phases("words"):
            model.lexical.refresh(*documents[:2])
        with phases("linear model"):
            linear = _fit(config, model, documents, c)
    table, label_bias, rows, bias, changes = _join(model, linear, weights, documents)
    joined = _build(model, table, label_bias, _prune(rows, changes, least), bias)
    found = {
        "linear_c": c,
        "member_weights": weights.round(4).tolist(),
        "least_change": least,
        "validation": precisions,
        "learnt_validation": refit,
    }
    return joined, found, ranking


def _fit(config, model, documents, c):
    features, labels, sample_weight = documents
    negatives = None
    if not are_few(*labels.shape):
        words = model.lexical.sparse_rows()  # (labels, features)
        negatives = NegativeDocuments(features, labels, words, config.seed)
    return fit_one_vs_all(features, labels, negatives, c, sample_weight=sample_weight)


def _encode(model, features):
    from xmc_keras.data.inputs import build_inputs

    return encode_documents(model.encoder, build_inputs(model, features))


def _counts(documents):
    """Number of documents of each label."""
    return np.asarray(documents[1].sum(axis=0)).ravel()


def _fit_weights(model, encoded, linear, train, validation, transformer):
    """Weights (bands, 4) of the members, or (bands, 5) with a transformer."""
    table, bias = model.classifier.get_weights()
    words = _word_rows(model).T.tocsr()
    rows, row_bias = linear[0].T.tocsr(), linear[1]
    features, relevant = validation[:2]

    def score_block(start, end):
        block = features[start:end]
        return [
            encoded[start:end] @ table.T + bias,
            (block @ words).toarray(),
            (block @ rows).toarray() + row_bias,
        ]

    offered = None if transformer is None else transformer.label_ids[:, :CANDIDATES]
    found = collect_candidates(score_block, relevant, 3, offered)
    documents, labels, logits, targets = found
    prior = PRIOR
    if transformer is not None:
        prior = PRIOR_WITH_TRANSFORMER
        own = transformer.scores_of_pairs(documents, labels)
        logits = np.column_stack([logits, np.asarray(find_logits(own))])
    counts = _counts(train)[labels]
    bands = find_bands(counts)
    weights = np.tile(prior, (len(BANDS) + 1, 1))
    # A label without documents has scores that say nothing of others.
    known = counts > 0
    if targets[known].any():
        pairs = logits[known], targets[known], bands[known]
        weights = fit_band_weights(*pairs, prior)
    return weights


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


def _join(model, linear, weights, documents):
    """The members of the joined model, with their weights multiplied in.

    Returns:
        `(table, label_bias, rows, bias, changes)`: weights and biases of the
        classifier; the linear rows, to which the words of labels are added, and their
        biases; and for each entry of the rows by how much it changes a logit.
    """
    of_labels = weights[find_bands(_counts(documents))].astype(np.float32)
    classifier, words, own, *_, bias = of_labels.T
    table, label_bias = model.classifier.get_weights()
    rows = scipy.sparse.diags_array(own) @ linear[0]
    rows = (rows + scipy.sparse.diags_array(words) @ _word_rows(model)).tocsr()
    changes = np.abs(rows.data) * mean_weights(documents[0])[rows.indices]
    table = table * classifier[:, None]
    return table, label_bias * classifier, rows, own * linear[1] + bias, changes


def _prune(rows, changes, least):
    rows = rows.copy()
    rows.data[changes < least] = 0
    rows.eliminate_zeros()
    return rows


def _choose_least(encoded, validation, members, transformer, num_predictions):
    """One of `LEAST_CHANGES`, and what the joined model that it leaves ranks.

    Args:
        transformer: None, or a pair of `MemberScores` and their weights (num_labels,).

    Returns:
        `(least, precisions, (label_ids, scores))`, see `join_linear`.
    """
    table, label_bias, rows, bias, changes = members
    features, relevant = validation[:2]
    block = 1 + SCORES // len(bias)

    def score_blocks(least):
        columns = _prune(rows, changes, least).T.tocsr()
        for start in range(0, features.shape[0], block):
            part = slice(start, start + block)
            scores = encoded[part] @ table.T + (features[part] @ columns).toarray()
            scores += label_bias + bias
            yield part, scores

    if transformer is not None:
        # Both members score what either of them offers.
        member, label_weights = transformer
        best = [_find_best(scores, 2 * CANDIDATES) for _, scores in score_blocks(0.0)]
        best = np.concatenate(best)
        offered = np.concatenate([member.label_ids[:, : 2 * CANDIDATES], best], axis=1)
        offered = np.asarray(unite_labels([offered.astype(np.int32)]))
        own = np.asarray(find_logits(member.scores_of(offered)))
        own = np.where(offered < 0, -np.inf, label_weights[offered] * own)

    def rank(least, k):
        found = []
        for part, scores in score_blocks(least):
            labels = None if transformer is None else offered[part]
            if labels is not None:
                scores = np.take_along_axis(scores, labels, axis=1) + own[part]
            places = _find_best(scores, k)
            best = places
            if labels is not None:
                best = np.take_along_axis(labels, places, axis=1)
            found.append((best, np.take_along_axis(scores, places, axis=1)))
        best, logits = map(np.concatenate, zip(*found))
        return np.where(logits > -np.inf, best, -1), expit(logits)

    of_all = rank(0.0, num_predictions)
    most = _precisions(of_all[0], relevant)
    for least in LEAST_CHANGES:
        ranking = rank(least, num_predictions) if least else of_all
        precisions = _precisions(ranking[0], relevant)
        if sum(precisions.values()) >= sum(most.values()) - LOSS:
            return least, precisions, ranking


def _find_best(scores, k):
    """Places (documents, k) of the best scores; ties go to the first."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def _build(model, table, label_bias, rows, bias):
    """The joined `LightDXML`."""
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
    joined.linear.refresh(rows, bias)
    for part in ("encoder", "nearest"):
        getattr(joined, part).set_weights(getattr(model, part).get_weights())
    joined.classifier.set_weights([table, label_bias])
    return joined
