import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.lightdxml.shortlist_logits import sample_positives

IDS = np.array([[5, 6, 7, 8], [3, -1, 4, -1]], "int32")


@pytest.mark.parametrize("known", [True, False])
def test_draws_each_as_often(known):
    seed = keras.random.SeedGenerator(0)
    shape = [2, 4] if known else [None, None]
    signature = [tf.TensorSpec(shape, tf.int32)]
    draw = tf.function(lambda x: sample_positives(x, 2, seed), signature)
    counts = np.zeros(9)
    for _ in range(200):
        found = draw(IDS).numpy()
        assert found.shape == (2, 2) and len(set(found[0])) == 2
        assert sorted(found[1]) == [3, 4]
        counts[found[0]] += 1
    assert counts.sum() == 400 and (counts[5:] > 70).all()


def test_few_are_all():
    seed = keras.random.SeedGenerator(0)
    np.testing.assert_array_equal(sample_positives(tf.constant(IDS), 4, seed), IDS)
    call = tf.function(
        lambda x: sample_positives(x, 9, seed), [tf.TensorSpec([None, None], tf.int32)]
    )
    np.testing.assert_array_equal(call(IDS), IDS)
