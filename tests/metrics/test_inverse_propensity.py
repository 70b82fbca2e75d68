import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.metrics.inverse_propensity import inverse_propensity

COUNTS = [40, 21, 13, 9, 6, 4, 3, 2, 1, 0]

# napkinxc 0.7.2: napkinxc.metrics.Jain_et_al_inverse_propensity(Y) and the same with
# A=0.6, B=2.6, for a csr Y of 60 documents whose column sums are COUNTS.
NAPKINXC = [
    1.6599472497013772,
    1.9241347293950501,
    2.176747475457102,
    2.4053404993129393,
    2.691032606032233,
    3.005562484673038,
    3.239591414308091,
    3.5715694165843863,
    4.0943445622221,
    5.098127670479376,
]
NAPKINXC_AMAZON = [
    1.7025939612219019,
    2.0013893549174897,
    2.283735091977392,
    2.533470333865105,
    2.83506351854847,
    3.1509177864167803,
    3.3737629988968574,
    3.671132756409065,
    4.094344562222101,
    4.761544148387683,
]


def test_equals_napkinxc():
    weight = inverse_propensity(COUNTS, 60)
    assert weight.dtype == np.float64
    assert weight.shape == (10,)
    np.testing.assert_allclose(weight, NAPKINXC, rtol=1e-12)
    weight = inverse_propensity(np.float32(COUNTS), 60, a=0.6, b=2.6)
    np.testing.assert_allclose(weight, NAPKINXC_AMAZON, rtol=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    num_documents=st.integers(3, 10**7),
    shares=st.lists(st.floats(0, 1), max_size=8),
    a=st.floats(0.1, 1),
    b=st.floats(0.1, 5),
)
def test_is_the_published_formula(num_documents, shares, a, b):
    counts = sorted(round(share * num_documents) for share in shares)
    weight = inverse_propensity(np.array(counts, int), num_documents, a, b)
    for value, count in zip(weight, counts, strict=True):
        # Jain et al. give the propensity: 1 / (1 + C exp(-A ln(n + B))).
        c = (math.log(num_documents) - 1) * (b + 1) ** a
        propensity = 1 / (1 + c * math.exp(-a * math.log(count + b)))
        assert value == pytest.approx(1 / propensity)
    assert np.all(weight > 1)
    assert np.all(np.diff(weight) <= 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(counts=[[1, 2]]), "one-dimensional array of numbers"),
        (dict(counts=["a"]), "one-dimensional array of numbers"),
        (dict(counts=[1, -1]), "Received: min=-1, max=1, num_documents=60"),
        (dict(counts=[1.0, math.nan]), "between 0 and"),
        (dict(counts=[61]), "max=61"),
        (dict(num_documents=2), "at least 3. Received: num_documents=2"),
        (dict(a=0), "Received: a=0"),
        (dict(b=0), "b=0"),
        (dict(b=math.inf), "b=inf"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        inverse_propensity(**{"counts": [1, 2], "num_documents": 60, **arguments})
