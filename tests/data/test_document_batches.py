import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from xmc_keras.data.document_batches import DocumentBatches
from xmc_keras.data.token_cache import TokenCache

PAD = 999


def make(lengths, labels=None, num_labels=40, **kwargs):
    """Batches of documents; all tokens of document `i` are `i`."""
    lengths = np.array(lengths)
    tokens = TokenCache(
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        np.cumsum([0, *lengths]),
    )
    if labels is not None:
        matrix = np.zeros((len(lengths), num_labels), np.float32)
        for row, ids in zip(matrix, labels, strict=True):
            row[ids] = 1
        labels = csr_matrix(matrix)
    kwargs = {"batch_size": 2, "pad_id": PAD, "shuffle": True, **kwargs}
    return DocumentBatches(tokens, labels, **kwargs)


def documents(batches):
    """The documents of each batch, from the first token of each document."""
    xs = (b[0] if isinstance(b, tuple) else b for b in batches)
    return [np.asarray(x["token_ids"])[:, 0].tolist() for x in xs]


def equal(batch, other):
    return tf.nest.map_structure(
        lambda a, b: a.dtype == b.dtype and np.array_equal(a, b), batch, other
    )


@st.composite
def some_batches(draw, **kwargs):
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=40))
    label = st.sets(st.integers(0, 39), max_size=20).map(sorted)
    labels = draw(st.none() | st.lists(label, min_size=len(lengths)).map(list))
    drawn = {
        "batch_size": draw(st.integers(1, 7)),
        "shuffle": draw(st.booleans()),
        "seed": draw(st.integers(0, 3)),
        "pad_multiple": draw(st.integers(1, 9)),
        "fixed_length": draw(st.sampled_from([None, 30, 33])),
        "segment_ids": draw(st.booleans()),
    }
    labels = labels and labels[: len(lengths)]
    return lengths, labels, make(lengths, labels, **{**drawn, **kwargs})


@settings(deadline=None, max_examples=60)
@given(some_batches(), st.integers(0, 5))
def test_every_document_once_padded_and_with_its_labels(drawn, epoch):
    lengths, labels, batches = drawn
    found = list(batches.batches(epoch))
    assert len(found) == len(batches) == batches.num_batches
    assert sorted(sum(documents(found), [])) == list(range(len(lengths)))
    sizes = [len(rows) for rows in documents(found)]
    assert sorted(sizes)[1:] == [batches.batch_size] * (len(sizes) - 1)
    for batch, rows in zip(found, documents(found), strict=True):
        x, y = batch if labels is not None else (batch, None)
        longest = max(lengths[i] for i in rows)
        multiple = batches.pad_multiple
        width = min(-(-longest // multiple) * multiple, max(lengths))
        width = batches.fixed_length or width
        names = ["padding_mask", "token_ids"]
        names += ["segment_ids"] * batches.segment_ids + ["label_ids"] * (y is not None)
        assert sorted(x) == sorted(names)
        for i, ids, mask in zip(rows, x["token_ids"], x["padding_mask"], strict=True):
            pads = width - lengths[i]
            assert ids.tolist() == [i] * lengths[i] + [PAD] * pads
            assert mask.tolist() == [True] * lengths[i] + [False] * pads
        if batches.segment_ids:
            assert x["segment_ids"].dtype == np.int32
            assert x["segment_ids"].shape == x["token_ids"].shape
            assert not x["segment_ids"].any()
        if y is not None:
            positives = max(len(labels[i]) for i in rows)
            assert np.array_equal(y, x["label_ids"]) and y.dtype == np.int32
            width = min(w for w in (8, 16, 32) if w >= positives)
            assert y.shape == (len(rows), width)
            for i, ids in zip(rows, y.tolist(), strict=True):
                assert ids == labels[i] + [-1] * (y.shape[1] - len(labels[i]))


@settings(deadline=None, max_examples=60)
@given(some_batches(), st.integers(0, 5), st.data())
def test_order_follows_seed_and_epoch_and_skipping_is_slicing(drawn, epoch, data):
    lengths, labels, batches = drawn
    names = ["batch_size", "shuffle", "seed", "pad_multiple", "segment_ids"]
    kwargs = {name: getattr(batches, name) for name in names}
    again = make(lengths, labels, fixed_length=batches.fixed_length, **kwargs)
    list(again.batches(epoch + 1))  # earlier reads do not matter
    whole, same = list(batches.batches(epoch)), list(again.batches(epoch))
    assert all(tf.nest.flatten(equal(whole, same)))
    start = data.draw(st.integers(0, len(whole) - 1), label="start")
    rest = list(batches.batches(epoch, start))
    assert all(tf.nest.flatten(equal(whole[start:], rest)))


@settings(deadline=None, max_examples=40)
@given(some_batches(shuffle=False))
def test_in_order_longest_first_and_restored(drawn):
    lengths, _, batches = drawn
    order = sum(documents(batches.batches()), [])
    assert order == batches.order.tolist()
    assert [lengths[i] for i in order] == sorted(lengths, reverse=True)
    assert batches.restore(np.array(order)).tolist() == list(range(len(lengths)))
    scores = np.random.default_rng(0).random((len(lengths), 3))
    assert np.array_equal(batches.restore(scores)[batches.order], scores)


def test_epochs_and_seeds_differ_and_batches_have_similar_lengths():
    lengths = np.random.default_rng(0).integers(2, 129, 5000)
    batches = make(lengths, batch_size=16)
    first, second = documents(batches.batches(0)), documents(batches.batches(1))
    other = documents(make(lengths, batch_size=16, seed=1).batches(0))
    assert len({str(epoch) for epoch in (first, second, other)}) == 3
    # The batches themselves differ, not only their order.
    assert not {frozenset(b) for b in first} & {frozenset(b) for b in second}
    padded = sum(x["token_ids"].size for x in batches.batches(0))
    assert padded < 1.1 * lengths.sum()
    # A window is 50 batches, so a batch spans about a fiftieth of the lengths. If it
    # spanned less, all documents would be sorted by length.
    spans = [np.ptp(lengths[b]) for b in first if len(b) == 16]
    assert 1.5 < np.mean(spans) < 6
    # Short and long batches alternate: both halves have the same mean length.
    means = np.array([lengths[b].mean() for b in first])
    assert abs(means[:150].mean() - means[150:].mean()) < 10


def test_fixed_length_is_a_plain_shuffle():
    lengths = [3, 9] * 500
    batches = make(lengths, batch_size=10, fixed_length=12)
    found = list(batches.batches(0))
    assert {x["token_ids"].shape for x in found} == {(10, 12)}
    mixed = [len({lengths[i] for i in rows}) == 2 for rows in documents(found)]
    assert np.mean(mixed) > 0.9


def test_drop_remainder_drops_others_each_epoch():
    batches = make(np.arange(1, 24), batch_size=5, drop_remainder=True)
    assert len(batches) == 4
    dropped = []
    for epoch in range(40):
        found = documents(batches.batches(epoch))
        assert [len(rows) for rows in found] == [5] * 4
        dropped.append(set(range(23)) - set(sum(found, [])))
        assert len(dropped[-1]) == 3
    assert set.union(*dropped) == set(range(23))
    assert len(batches.in_order()) == 5


def test_in_order_and_with_shortlist_are_copies():
    lengths = [3, 1, 2, 5]
    batches = make(lengths, [[0], [1], [], [2, 3]])
    shortlist = np.array([[0, 1], [1, 2], [2, 3], [3, 0]], np.int32)
    chosen = batches.with_shortlist(shortlist)
    for copied in (chosen, chosen.in_order()):
        for x, _ in copied.dataset():
            expected = shortlist[np.asarray(x["token_ids"])[:, 0]]
            assert np.array_equal(x["shortlist"], expected)
    assert documents(batches.in_order().batches(3)) == [[3, 0], [2, 1]]
    assert batches.shuffle and "shortlist" not in next(batches.batches())[0]
    assert documents(chosen.batches(7)) == documents(batches.batches(7))


@settings(deadline=None, max_examples=20)
@given(some_batches())
def test_no_array_of_an_epoch_shares_memory_with_another(drawn):
    # TensorFlow computes in the memory of an input that nothing else needs: with a
    # strategy that cuts batches, targets that were the input changed under the loss.
    batches = drawn[2]
    shortlist = np.zeros((len(batches.tokens), 3), np.int32)
    arrays = tf.nest.flatten(list(batches.with_shortlist(shortlist).batches()))
    arrays += [shortlist, batches.tokens.token_ids, batches.tokens.offsets]
    for i, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:i])


def test_a_label_matrix_is_not_made_dense():
    matrix = csr_matrix(([1.0], ([1], [670_090])), shape=(3, 670_091))
    tokens = TokenCache(np.zeros(3, np.int32), np.arange(4))
    batches = DocumentBatches(tokens, matrix, 3, pad_id=0, shuffle=False)
    ((x, y),) = batches.batches()
    assert y.tolist() == [[-1] * 8, [670_090] + [-1] * 7, [-1] * 8]


def test_dataset_yields_an_epoch_a_pass():
    batches = make([3, 1, 2, 5, 4], [[0], [1], [], [2, 3], [4]])
    dataset = batches.dataset(epoch=2)
    assert dataset.cardinality() == 3
    for epoch in (2, 3):
        found = list(dataset.as_numpy_iterator())
        assert all(tf.nest.flatten(equal(found, list(batches.batches(epoch)))))
    # Reading the first batch is not a pass (of many batches: two are prefetched).
    batches = make(np.arange(1, 41))
    dataset = batches.dataset()
    next(iter(dataset))
    assert documents(dataset) == documents(batches.batches(0))
    without = make([3, 1, 2]).dataset()
    assert isinstance(without.element_spec, dict)
    assert documents(without) == documents(make([3, 1, 2]).batches(0))


def test_dataset_from_a_start_is_the_rest_of_that_epoch():
    batches = make(np.arange(1, 12))
    rest = batches.dataset(epoch=3, start=4)
    assert rest.cardinality() == 2
    for _ in range(2):
        assert documents(rest) == documents(batches.batches(3))[4:]


class Recorder(keras.Model):
    """Records the first token of each training document."""

    def __init__(self):
        super().__init__()
        self.head = keras.layers.Dense(1)
        self.seen = []

    def call(self, x):
        return self.head(keras.ops.cast(x["token_ids"][:, :1], "float32"))

    def train_step(self, data):
        self.seen.append(data[0]["token_ids"][:, 0].numpy().tolist())
        return super().train_step(data)

    def compute_loss(self, x, y, y_pred, *args, **kwargs):
        return keras.ops.mean(y_pred)


def fit(batches, spans, strategy=None):
    with (strategy or tf.distribute.get_strategy()).scope():
        model = Recorder()
        model.compile("sgd", run_eagerly=True)
    for epoch, start, epochs in spans:
        dataset = batches.dataset(epoch, start)
        model.fit(dataset, initial_epoch=epoch, epochs=epochs, shuffle=False, verbose=0)
    return model.seen


def test_fit_sees_every_epoch_and_resumes_within_one():
    batches = make(np.arange(1, 20), [[i] for i in range(19)], batch_size=3)
    unbroken = sum((documents(batches.batches(epoch)) for epoch in range(3)), [])
    assert fit(batches, [(0, 0, 3)]) == unbroken
    # Stopped after 9 of 21 steps and resumed: epoch 1 from batch 2, then epoch 2.
    assert fit(batches, [(1, 2, 2), (2, 0, 3)]) == unbroken[9:]
    # Under a strategy, Keras reads a batch before the first epoch to build the model.
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    assert fit(batches, [(0, 0, 3)], strategy) == unbroken


def test_wrong_arguments():
    labels = csr_matrix(np.ones((2, 3)))
    tokens = TokenCache(np.zeros(3, np.int32), np.arange(4))
    with pytest.raises(ValueError, match="3 rows, one per document. Received: 2"):
        DocumentBatches(tokens, labels, 2, pad_id=0, shuffle=True)
    for kwargs, message in [
        ({"batch_size": 0}, r"`batch_size` >= 1 .*Received: 0, 8"),
        ({"pad_multiple": 0}, r"`pad_multiple` >= 1. Received: 2, 0"),
        ({"fixed_length": 4}, r"`fixed_length` >= 5, .*Received: 4"),
        ({"drop_remainder": True, "shuffle": False}, "`shuffle=True` with"),
        ({"drop_remainder": True, "batch_size": 3}, "batch of 3. Received: 2"),
    ]:
        with pytest.raises(ValueError, match=message):
            make([3, 5], **kwargs)
    with pytest.raises(ValueError, match="batch of 2. Received: 0"):
        make(np.zeros(0, int))
    batches = make([3, 5, 6])
    for start in (-1, 2):
        for method in (batches.batches, batches.dataset):
            with pytest.raises(ValueError, match=f"from 0 to 1. Received: {start}"):
                method(0, start)
    with pytest.raises(ValueError, match="shuffle=False"):
        batches.restore(np.zeros(3))
    with pytest.raises(ValueError, match="3 rows, one per document. Received: 2"):
        batches.in_order().restore(np.zeros(2))
    with pytest.raises(ValueError, match="3 rows, one per document. Received: 4"):
        batches.with_shortlist(np.zeros((4, 2), np.int32))


def test_short_training_has_few_lengths():
    """Each document still occurs once, and epochs keep the lengths."""
    random = np.random.default_rng(0)
    sizes = random.integers(1, 100, 90)
    tokens = TokenCache(np.arange(sizes.sum()) + 1, np.append(0, sizes.cumsum()))
    labels = csr_matrix(np.eye(90, dtype=np.float32))
    usual = DocumentBatches(tokens, labels, 8, pad_id=0, shuffle=True)

    def widths(batches, epoch=0):
        return [x["token_ids"].shape[1] for x, _ in batches.batches(epoch)]

    before = widths(usual)
    assert widths(usual.with_few_lengths(1, cost=0)) == before
    one = usual.with_few_lengths(1, cost=10**6)
    assert set(widths(one)) == {max(before)}
    some = usual.with_few_lengths(2, cost=400)
    assert 1 < len(set(widths(some))) < len(set(before))
    assert all(few >= width for few, width in zip(widths(some), before))
    assert set(widths(some, epoch=1)) == set(widths(some))
    seen = np.concatenate([y[y >= 0] for _, y in some.batches(3)])
    assert sorted(seen) == list(range(90))
    assert some.in_order().lengths is None


def test_long_training_keeps_its_lengths():
    """More batches than a window: nothing changes, bit for bit."""
    tokens = TokenCache(np.arange(1, 61), np.arange(61))
    long = DocumentBatches(tokens, None, 1, pad_id=0, shuffle=True)
    assert long.with_few_lengths(1, cost=10**9) is long
    fixed = DocumentBatches(tokens, None, 9, pad_id=0, shuffle=True, fixed_length=4)
    assert fixed.with_few_lengths(1, cost=10**9) is fixed
