"""The figures of the report, each against plain Python."""

import collections

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from tests.helpers.served_cascade import make_cascade
from tests.helpers.served_lightxml import tokens_of
from xmc_keras import Documents
from xmc_keras.evaluation.report.by_frequency import (
    EDGES,
    group_by_frequency,
    split_by_group,
)
from xmc_keras.evaluation.report.confused_labels import find_confused_labels
from xmc_keras.evaluation.report.log_numbers import LogNumbers
from xmc_keras.evaluation.report.recall_curve import compute_recall_curve
from xmc_keras.evaluation.report.run_predictions import (
    find_places,
    predict_documents,
)
from xmc_keras.metrics.calibration_curve import calibration_curve
from xmc_keras.metrics.ranking_metrics import ranking_report


def case(seed, documents=7, labels=12, kept=6):
    """Predictions (some with pads), relevant labels, weights and counts."""
    random = np.random.default_rng(seed)
    top = np.stack([random.permutation(labels)[:kept] for _ in range(documents)])
    top[random.uniform(size=documents) < 0.3, 4:] = -1
    # Two more columns, for labels that were not in training.
    relevant = scipy.sparse.csr_matrix(
        (random.uniform(size=(documents, labels + 2)) < 0.25).astype("float32")
    )
    counts = random.choice([1, 2, 3, 9, 10, 40, 150, 4000], labels)
    weight = random.uniform(1, 9, labels + 2)
    return top, relevant, weight, counts


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16))
def test_shares_of_groups_against_loops(seed):
    top, relevant, weight, counts = case(seed)
    names, groups = group_by_frequency(counts)
    shares = split_by_group(top, relevant, weight, groups, len(names))
    whole, dense = ranking_report(top, relevant, weight), relevant.toarray()
    for k in (1, 3, 5):
        hits, gains, best = collections.Counter(), collections.Counter(), 0.0
        for row, right in zip(top, dense):
            for label in row[:k]:
                if label >= 0 and right[label]:
                    hits[groups[label]] += 1
                    gains[groups[label]] += weight[label]
            best += sum(sorted(weight[right > 0])[::-1][:k])
        for group in range(len(names)):
            expected = 100 * hits[group] / (k * len(top))
            assert shares[f"P@{k}"][group] == pytest.approx(expected)
            expected = 100 * gains[group] / best if best else 0.0
            assert shares[f"PSP@{k}"][group] == pytest.approx(expected)
        for name in (f"P@{k}", f"PSP@{k}"):
            assert shares[name].sum() == pytest.approx(whole[name])


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=30))
def test_groups_hold_what_their_names_say(counts):
    names, groups = group_by_frequency(np.array(counts))
    assert (np.unique(groups[groups >= 0]) == np.arange(len(names))).all()
    for count, group in zip(counts, groups):
        if count < EDGES[0]:
            assert group == -1
            continue
        first, _, last = names[group].replace(",", "").partition("-")
        first, last = int(first.split()[0]), int(last or 10**9)
        assert first <= count <= last


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16))
def test_recall_of_candidates_against_loops(seed):
    random = np.random.default_rng(seed)
    _, relevant, _, counts = case(seed)
    known = relevant[:, : len(counts)]
    unseen = np.diff(relevant.indptr) - np.diff(known.indptr)
    ranks = random.integers(-1, 9, known.nnz)
    found = compute_recall_curve(ranks, known, unseen)
    for k in range(1, len(found) + 1):
        shares = []
        for i in range(known.shape[0]):
            own = ranks[known.indptr[i] : known.indptr[i + 1]]
            if labels := len(own) + unseen[i]:
                shares.append(sum(0 <= rank < k for rank in own) / labels)
        assert found[k - 1] == pytest.approx(sum(shares) / max(len(shares), 1))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16))
def test_calibration_against_loops(seed):
    top, relevant, _, _ = case(seed)
    scores = np.random.default_rng(seed).uniform(size=top.shape).astype("float32")
    scores[0, 0] = 1.0
    counts, score, right, error = calibration_curve(top, scores, relevant, k=5, bins=4)
    found = collections.defaultdict(list)
    for i, row in enumerate(top):
        for label, one in list(zip(row, scores[i]))[:5]:
            if label >= 0:
                place = min(int(float(one) * 4), 3)
                found[place].append((float(one), relevant[i, label] > 0))
    total = sum(map(len, found.values()))
    expected = 0.0
    for place in range(4):
        assert counts[place] == len(found[place])
        if found[place]:
            means = np.mean(found[place], axis=0)
            assert (score[place], right[place]) == pytest.approx(tuple(means))
            expected += len(found[place]) / total * abs(means[0] - means[1])
    assert error == pytest.approx(expected)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**16))
def test_confused_labels_against_loops(seed):
    top, relevant, _, _ = case(seed)
    pairs = collections.Counter()
    for row, dense in zip(top.tolist(), relevant.toarray()):
        right = {i for i, one in enumerate(dense) if one}
        given_ = [label for label in row[: min(3, len(right))] if label >= 0]
        for wrong in set(given_) - right:
            for missed in right - set(given_):
                pairs[wrong, missed] += 1
    found = find_confused_labels(top, relevant, k=3, most=5)
    assert len(found) == min(5, len(pairs))
    assert [n for _, _, n in found] == sorted(pairs.values(), reverse=True)[:5]
    assert all(pairs[wrong, right] == n for wrong, right, n in found)


def test_ranks_of_clusters_at_the_last_of_several_levels():
    model, texts = make_cascade(), ["a b", "c d e", "f g"]
    labels = [["p", "z"], ["t"], ["w", "q", "r"]]
    relevant = model.label_set.encode(labels)
    found = predict_documents(model, Documents(texts, labels), relevant)
    assert (found.step, found.kept) == (2, 3)
    level = model.levels[-1]
    outputs = model.rank(model.encoder(tokens_of(model, texts)))["levels"][-1]
    expected = []
    for document, row in enumerate(relevant):
        scores = outputs["scores"][document].numpy()
        clusters = outputs["candidates"][document].numpy()
        order = [c for c in clusters[np.argsort(-scores)] if c >= 0]
        for label in row.indices:
            own = np.flatnonzero((level.clusters.numpy() == label).any(axis=1))[0]
            expected.append(order.index(own) if own in order else -1)
    assert found.ranks.tolist() == expected and {-1} < set(expected)
    # A rank below `kept` is that of a candidate.
    kept = model.rank(model.encoder(tokens_of(model, texts)))["candidates"].numpy()
    pairs = [
        label in kept[i] for i, row in enumerate(relevant) for label in row.indices
    ]
    assert [0 <= rank < 3 for rank in expected] == pairs


def test_places_of_labels_among_candidates():
    random = np.random.default_rng(0)
    candidates = np.stack([random.permutation(9)[:5] for _ in range(4)])
    labels = random.integers(-1, 9, (4, 6))
    found = find_places(*map(lambda x: x.astype("int32"), (candidates, labels))).numpy()
    for row, own, at in zip(candidates.tolist(), labels.tolist(), found.tolist()):
        assert at == [row.index(i) if i in row else -1 for i in own]


@pytest.mark.parametrize(
    "values, shown",
    [((3, 24), {"3", "10", "20"}), ((2400, 9400), {"3,000"}), ((1, 24043), {"1,000"})],
)
def test_plain_numbers_on_a_logarithmic_axis(values, shown):
    figure = Figure(figsize=(5, 4))
    axis = figure.subplots()
    axis.plot(values, values)
    axis.set_xscale("log")
    LogNumbers.apply_to(axis.xaxis)
    figure.draw_without_rendering()
    texts = [t.get_text() for t in axis.get_xticklabels() + axis.get_xticklabels(True)]
    assert shown <= set(texts)
    assert all(set(text) <= set("0123456789,.") for text in texts)
    if values[1] > 10000:  # decades only
        assert all(text.strip("0,.") in ("", "1") for text in texts)
