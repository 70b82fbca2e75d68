"""The contract of `OneVsAllHead`, against NumPy in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead

NUM_LABELS, DIM, BATCH = 21, 6, 5
RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(BATCH, DIM)).astype("float32")
# One to four labels, padded; one id is after the last label.
LABEL_IDS = np.full((BATCH, 5), -1)
for row in LABEL_IDS:
    size = RNG.integers(1, 5)
    row[:size] = RNG.choice(NUM_LABELS, size, replace=False)
LABEL_IDS[1, 4] = NUM_LABELS + 3
HOT = np.array([[label in row for label in range(NUM_LABELS)] for row in LABEL_IDS])
WEIGHTS = np.array([1, 0, 2.5, 1, 0.5], "float32")


def make_head(num_blocks=1, **arguments):
    keras.utils.set_random_seed(0)
    head = OneVsAllHead(NUM_LABELS, -(-NUM_LABELS // num_blocks), **arguments)
    head.build((None, DIM))
    assert len(head.blocks) == num_blocks
    for block in head.blocks:
        block.assign(10 * block)  # or all logits are nearly equal
    return head


def table_of(head):
    return np.concatenate([np.array(block, "float64") for block in head.blocks])


@pytest.mark.parametrize("num_blocks", [1, 3, 7])
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_losses_and_gradients_are_those_of_the_dense_loss(
    num_blocks, jit_compile, weights
):
    head = make_head(num_blocks, initial_probability=0.2)
    table = table_of(head)

    @tf.function(jit_compile=jit_compile)
    def step(hidden):
        parts = []
        found = head.backpropagate(
            hidden,
            tf.constant(LABEL_IDS),
            # The gradients do not see the change.
            lambda block, gradient: (parts.append(gradient), block.assign(0 * block)),
            weights,
        )
        return *found, parts

    losses, by_hidden, parts = step(tf.constant(FEATURES))
    logits = FEATURES.astype("float64") @ table.T + np.log(0.2 / 0.8)
    expected = np.logaddexp(0, logits) - HOT * logits
    np.testing.assert_allclose(losses, expected.sum(axis=1), 1e-6)
    errors = 1 / (1 + np.exp(-logits)) - HOT
    if weights is not None:
        errors *= weights[:, None]
    np.testing.assert_allclose(by_hidden, errors @ table, 1e-5, 1e-6)
    by_rows = np.concatenate(parts)
    np.testing.assert_allclose(by_rows, errors.T @ FEATURES, 1e-5, 1e-6)
    assert not table_of(head).any()


@pytest.mark.parametrize("num_blocks", [1, 3, 7])
def test_logits_and_the_best_labels(num_blocks):
    head = make_head(num_blocks, initial_probability=0.2)
    logits = FEATURES @ table_of(head).T + np.log(0.2 / 0.8)
    np.testing.assert_allclose(head(FEATURES), logits, 1e-5, 1e-5)
    ids, best = head.best(FEATURES, 9)
    order = np.argsort(-logits, axis=1)[:, :9]
    assert (ids.numpy() == order).all()
    np.testing.assert_allclose(best, np.take_along_axis(logits, order, 1), 1e-5, 1e-5)
    own = head.logits(FEATURES, order)
    np.testing.assert_allclose(own, best, 1e-5, 1e-5)
    rows = RNG.normal(size=(3, DIM)).astype("float32")
    table = table_of(head)
    head.assign_rows(np.array([0, 11, 20]), rows)
    table[[0, 11, 20]] = rows
    np.testing.assert_allclose(table_of(head), table, 1e-6)


@pytest.mark.parametrize("bottleneck_dim", [None, 3])
def test_as_a_layer_of_a_model_of_ones_own(bottleneck_dim, tmp_path):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((DIM,))
    head = OneVsAllHead(NUM_LABELS, 10, bottleneck_dim)
    model = keras.Model(inputs, head(inputs))
    assert model.output_shape == (None, NUM_LABELS)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.1), loss)
    losses = model.fit(FEATURES, HOT, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 4
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(FEATURES), model(FEATURES))
    count = NUM_LABELS * (bottleneck_dim or DIM) + (DIM * 3 if bottleneck_dim else 0)
    assert model.count_params() == count


def test_blocks_of_64_mib_of_gradient():
    head = OneVsAllHead(50_000)
    head.build((None, 768))
    sizes = [block.shape[0] for block in head.blocks]
    assert sizes == [21845, 21845, 6310]
    assert max(sizes) * 768 * 4 <= 64 * 2**20
    assert np.std(head.blocks[0][:1000]) == pytest.approx(0.02, rel=0.01)


def test_half_precision():
    exact = make_head(3)
    for dtype, table in (("mixed_bfloat16", "float32"), ("mixed_bfloat16", "bfloat16")):
        head = make_head(3, dtype=dtype, table_dtype=table)
        assert head.blocks[0].dtype == table
        for block, other in zip(head.blocks, exact.blocks):
            block.assign(other)
        logits = head(FEATURES)
        assert logits.dtype == tf.float32
        np.testing.assert_allclose(logits, exact(FEATURES), 0.02, 0.02)
        losses, gradient = head.backpropagate(FEATURES, LABEL_IDS)
        expected = exact.backpropagate(FEATURES, LABEL_IDS)
        np.testing.assert_allclose(losses, expected[0], 0.02)
        np.testing.assert_allclose(gradient, expected[1], 0.02, 0.02)
        assert gradient.dtype == tf.float32


def test_the_best_labels_need_the_memory_of_one_block():
    """Each block is read, and cast, after the one before was searched."""
    head = make_head(7, table_dtype="bfloat16")
    graph = tf.function(lambda x: head.best(x, 3)).get_concrete_function(FEATURES).graph
    reads = [op for op in graph.get_operations() if op.type == "ReadVariableOp"]
    assert [bool(read.control_inputs) for read in reads] == [False] + [True] * 6


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_labels": 0}, "positive. Received: num_labels=0"),
        ({"num_labels": 3, "bottleneck_dim": 0}, "positive.*bottleneck_dim=0"),
        ({"num_labels": 3, "block_labels": 0}, "from 1 to num_labels=3.*labels=0"),
        ({"num_labels": 3, "block_labels": 4}, "from 1 to num_labels=3.*labels=4"),
        ({"num_labels": 3, "table_dtype": "float16"}, "table_dtype=float16"),
        ({"num_labels": 3, "initial_probability": 0}, "between 0 and 1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*{message}"):
        OneVsAllHead(**arguments)
