"""Choosing the shapes that kernels are compiled for."""

import numpy as np


def choose_lengths(lengths, counts, cost):
    """Chooses the lengths that batches are padded to, so that training ends soonest.

    Each different length costs the time to compile its kernels, and saves padding. With
    many steps every length is worth it, with few steps only some.

    Args:
        lengths: int array. The different lengths, ascending.
        counts: int array. Documents of each length, over the whole training.
        cost: float. Tokens of padding that take as long as compiling a length.

    Returns:
        int array, ascending: some of `lengths`, the last one among them.

    Example:

    >>> choose_lengths([8, 16, 64], [100, 100, 100], cost=1000).tolist()
    [16, 64]
    >>> choose_lengths([8, 16, 64], [500, 100, 100], cost=1000).tolist()
    [8, 16, 64]
    """
    lengths, counts = np.asarray(lengths), np.asarray(counts)
    # best[i]: least cost of the first i lengths, padded to chosen ones of them.
    best, start = np.zeros(len(lengths) + 1), np.zeros(len(lengths) + 1, int)
    for end in range(1, len(lengths) + 1):
        padding = np.cumsum((counts * (lengths[end - 1] - lengths))[:end][::-1])[::-1]
        costs = best[:end] + padding + cost
        start[end] = np.argmin(costs)
        best[end] = costs[start[end]]
    chosen, end = [], len(lengths)
    while end:
        chosen.append(lengths[end - 1])
        end = start[end]
    return np.array(chosen[::-1], int)
