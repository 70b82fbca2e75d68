import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.ops.elementwise import isin, logit

ROWS = st.integers(1, 4).flatmap(
    lambda n: st.tuples(
        *(
            st.lists(
                st.lists(st.integers(-1, 4), min_size=width, max_size=width),
                min_size=n,
                max_size=n,
            )
            for width in (3, 5)
        )
    )
)


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_isin_equals_a_plain_loop(rows):
    a, b = (np.array(part, "int32") for part in rows)
    expected = [[x in other for x in row] for row, other in zip(*rows)]
    np.testing.assert_array_equal(isin(a, b), expected)
    before = [[x in row[:i] for i, x in enumerate(row)] for row in rows[0]]
    np.testing.assert_array_equal(isin(a, a, earlier=True), before)


@pytest.mark.parametrize("probability", [1e-6, 0.01, 0.5, 0.99])
def test_sigmoid_of_logit_is_the_probability(probability):
    assert 1 / (1 + np.exp(-logit(probability))) == pytest.approx(probability)


def test_logit_is_odd_around_one_half():
    assert logit(0.5) == 0
    assert logit(0.2) == pytest.approx(-logit(0.8))
