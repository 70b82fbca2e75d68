import numpy as np
import pytest

from xmc_keras.lightdxml.loss import summed_cross_entropy

LOGITS = np.array([[2.0, -1.0, 0.5], [-3.0, 4.0, -1e9]], "float32")


def bce(logit, target):
    probability = 1 / (1 + np.exp(-float(logit)))
    return -np.log(probability if target else 1 - probability)


@pytest.mark.parametrize("training", [True, False])
def test_equals_a_plain_loop(training):
    labels = np.array([[7, -1], [5, 9]], "int32")
    if training:  # the positives are given
        outputs = {
            "logits": LOGITS,
            "positive_logits": np.array([[2.0, 0.0], [-3.0, 4.0]], "float32"),
        }
    else:  # the second document's pad is no label
        candidates = np.array([[7, 1, 2], [5, 9, 3]], "int32")
        outputs = {"logits": LOGITS, "candidates": candidates}
    expected = [
        bce(2, True) + bce(-1, False) + bce(0.5, False),
        bce(-3, True) + bce(4, True),
    ]
    np.testing.assert_allclose(summed_cross_entropy(outputs, labels), expected, 1e-5)
