import numpy as np
import pytest

from xmc_keras.ops.elementwise import logit


@pytest.mark.parametrize("probability", [1e-6, 0.01, 0.5, 0.99])
def test_its_sigmoid_is_the_probability(probability):
    assert 1 / (1 + np.exp(-logit(probability))) == pytest.approx(probability)


def test_it_is_odd_around_one_half():
    assert logit(0.5) == 0
    assert logit(0.2) == pytest.approx(-logit(0.8))
