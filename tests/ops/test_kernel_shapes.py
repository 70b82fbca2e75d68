from itertools import combinations

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from xmc_keras.ops.kernel_shapes import choose_lengths


def cost_of(chosen, lengths, counts, cost):
    padded = [min(x for x in chosen if x >= length) for length in lengths]
    waste = [n * (p - x) for n, p, x in zip(counts, padded, lengths)]
    return len(chosen) * cost + sum(waste)


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.integers(1, 60), st.integers(1, 50), min_size=1, max_size=7),
    st.integers(0, 1500),
)
def test_no_other_choice_costs_less(counts, cost):
    lengths = sorted(counts)
    counts = [counts[length] for length in lengths]
    chosen = choose_lengths(lengths, counts, cost).tolist()
    assert chosen == sorted(set(chosen) & set(lengths)) and chosen[-1] == lengths[-1]
    least = min(
        cost_of([*some, lengths[-1]], lengths, counts, cost)
        for size in range(len(lengths))
        for some in combinations(lengths[:-1], size)
    )
    assert np.isclose(cost_of(chosen, lengths, counts, cost), least)
