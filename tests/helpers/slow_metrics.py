"""Ranking metrics by their definitions, one document at a time, with sets."""

import math


def hit_ranks(row, labels, k):
    seen, ranks = set(), []
    for rank, label in enumerate(row[:k], start=1):
        if label in labels and label not in seen:
            ranks.append((rank, label))
        seen.add(label)
    return ranks


def slow_precision(top, labels, k):
    hits = [len(hit_ranks(*pair, k)) for pair in zip(top, labels, strict=True)]
    return sum(hits) / k / len(top)


def slow_ndcg(top, labels, k):
    values = []
    for row, relevant in zip(top, labels, strict=True):
        gain = sum(1 / math.log2(rank + 1) for rank, _ in hit_ranks(row, relevant, k))
        best = sum(1 / math.log2(r + 2) for r in range(min(k, len(relevant))))
        values.append(gain / best if relevant else 0.0)
    return sum(values) / len(values)


def slow_psp(top, labels, weight, k):
    gain = best = 0.0
    for row, relevant in zip(top, labels, strict=True):
        gain += sum(weight[label] for _, label in hit_ranks(row, relevant, k))
        best += sum(sorted((weight[label] for label in relevant), reverse=True)[:k])
    return gain / best if best else 0.0


def slow_psndcg(top, labels, weight, k):
    gain = best = 0.0
    for row, relevant in zip(top, labels, strict=True):
        if not relevant:
            continue
        most = sum(1 / math.log2(r + 2) for r in range(min(k, len(relevant))))
        for rank, label in hit_ranks(row, relevant, k):
            gain += weight[label] / math.log2(rank + 1) / most
        heaviest = sorted((weight[label] for label in relevant), reverse=True)[:k]
        for rank, value in enumerate(heaviest, start=1):
            best += value / math.log2(rank + 1) / most
    return gain / best if best else 0.0


def slow_recall(top, labels, k):
    values = [
        len(set(row[:k]) & relevant) / len(relevant)
        for row, relevant in zip(top, labels, strict=True)
        if relevant
    ]
    return sum(values) / len(values) if values else 0.0
