import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.serving.graph.label_names import LabelNames

NAMES = st.lists(st.text(min_size=1), min_size=1, max_size=12, unique=True)


@settings(deadline=None, max_examples=40)
@given(NAMES, NAMES, st.lists(st.text(), max_size=8))
def test_ids_and_names_are_those_of_the_lists(first, second, asked):
    labels = LabelNames([first, second])
    encode = lambda names: [n.encode("utf-8", "surrogatepass") for n in names]  # noqa: E731
    union = list(dict.fromkeys(first + second))
    assert len(labels) == len(union)
    asked = asked + union
    expected = [union.index(name) if name in union else -1 for name in asked]
    assert (
        labels.ids(tf.constant(encode(asked), tf.string)).numpy().tolist() == expected
    )
    ids = tf.range(-1, len(union))
    assert labels.names_of(ids).numpy().tolist() == [b"", *encode(union)]
    for i, part in enumerate((first, second)):
        shared = labels.shared(i, tf.range(-1, len(part))).numpy()
        assert shared.tolist() == [-1, *(union.index(name) for name in part)]
        own = [part.index(name) if name in part else -1 for name in union]
        assert labels.own(i, ids).numpy().tolist() == [-1, *own]


def test_shape_is_kept():
    ids = LabelNames([["a", "b"]]).ids(tf.constant([["b", "x", "a"], ["a", "a", ""]]))
    assert ids.numpy().tolist() == [[1, -1, 0], [0, 0, -1]]


def test_two_names_of_one_hash(monkeypatch):
    monkeypatch.setattr("xmc_keras.serving.graph.label_names.BUCKETS", 1)
    with pytest.raises(ValueError, match="two names with the same"):
        LabelNames([["a", "b"]])
