import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow.python.ops.handle_data_util import get_resource_handle_data

from tests.helpers.graph_operations import graph_operations
from tests.helpers.layer_test import run_layer_test
from xmc_keras.lightxml.dynamic_candidate_ranker import (
    MASKED_LOGIT,
    DynamicCandidateRanker,
)
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

NUM_LABELS, DIM = 9, 3
FEATURES = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
CANDIDATES = np.array([[3, 0, 8, 1], [7, 2, 3, 5]], "int32")
WITH_PADS = np.array([[3, -1, 8, 3, -1, 8, 3], [-1, -1, 5, 5, 2, 2, 5]], "int32")


def make_ranker(**arguments):
    keras.utils.set_random_seed(0)
    ranker = DynamicCandidateRanker(NUM_LABELS, DIM, **arguments)
    ranker.build((None, 5), (None, None))
    ranker.bottleneck.bias.assign([0.3, -0.2, 0.1])
    return ranker


def expected_logits(ranker, features, candidates):
    """Equations 3 and 4 one candidate at a time, in float64."""
    activation = ranker.get_config()["bottleneck_activation"]
    kernel = ranker.bottleneck.kernel.numpy().astype("float64")
    table = ranker.label_embeddings.numpy().astype("float64")
    start = np.log(ranker.initial_probability / (1 - ranker.initial_probability))
    logits = np.full(candidates.shape, MASKED_LOGIT)
    for i, row in enumerate(candidates):
        hidden = features[i] @ kernel + ranker.bottleneck.bias.numpy()
        if activation == "sigmoid":
            hidden = 1 / (1 + np.exp(-hidden))
        for j, label in enumerate(row):
            if label >= 0 and label not in row[:j]:
                logits[i, j] = hidden @ table[label] + start
    return logits


def test_is_a_keras_layer(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        return DynamicCandidateRanker(NUM_LABELS, DIM, "sigmoid")

    run_layer_test(make, [FEATURES, CANDIDATES], [(2, 4)], tmp_path)


def test_places_decide_the_shape():
    inputs = [(None, 5), (None,), (None, 4)]
    logits = make_ranker()(
        *map(keras.KerasTensor, inputs, ["float32", "int32", "int32"])
    )
    assert logits.shape == (None, 4) and logits.dtype == "float32"
    assert make_ranker().compute_output_shape(*inputs) == (None, 4)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_documents_that_share_rows_get_the_same_logits_and_gradients(jit_compile):
    ranker = make_ranker()
    pool = np.array([5, 1, 8, 0, 3, 7], "int32")
    places = np.array([[2, -1, 4, 0], [0, 3, -1, -1]], "int32")
    candidates = np.where(places < 0, -1, pool[places])
    weights = np.random.default_rng(1).normal(size=places.shape).astype("float32")

    @tf.function(jit_compile=jit_compile)
    def logits_and_gradients(*inputs):
        with tf.GradientTape() as tape:
            logits = ranker(FEATURES, *inputs)
            loss = tf.reduce_sum(weights * tf.sigmoid(logits))
        gradients = tape.gradient(loss, ranker.trainable_variables)
        return logits, gradients

    logits, shared = logits_and_gradients(pool, places)
    expected = expected_logits(ranker, FEATURES, candidates)
    np.testing.assert_allclose(logits, expected, 1e-5, 1e-6)
    _, alone = logits_and_gradients(candidates)
    for a, b in zip(shared, alone):
        np.testing.assert_allclose(
            tf.convert_to_tensor(a), tf.convert_to_tensor(b), 1e-5, 1e-6
        )
    rows = next(g for g in shared if isinstance(g, tf.IndexedSlices))
    np.testing.assert_array_equal(rows.indices, pool)
    assert not rows.values.numpy()[[1, 5]].any()  # in no place


@pytest.fixture(scope="module")
def ranker_and_call():
    ranker = make_ranker()
    features = tf.TensorSpec([None, 5], tf.float32)
    ids = tf.TensorSpec([None, None], tf.int32)
    return ranker, tf.function(ranker, input_signature=[features, ids])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equals_a_plain_loop(ranker_and_call, data):
    ranker, call = ranker_and_call
    width = data.draw(st.integers(1, 7))
    row = st.lists(st.integers(-1, NUM_LABELS - 1), min_size=width, max_size=width)
    candidates = np.array(data.draw(st.lists(row, min_size=1, max_size=4)), "int32")
    features = np.random.default_rng(width).normal(size=(len(candidates), 5))
    logits = call(features.astype("float32"), candidates)
    expected = expected_logits(ranker, features, candidates)
    np.testing.assert_allclose(logits, expected, 1e-5, 1e-5)


@pytest.mark.parametrize("activation", [None, "sigmoid"])
@pytest.mark.parametrize("initial_probability", [0.01, 0.5])
def test_activation_and_initial_probability(activation, initial_probability):
    ranker = make_ranker(
        bottleneck_activation=activation, initial_probability=initial_probability
    )
    logits = ranker(FEATURES, CANDIDATES)
    expected = expected_logits(ranker, FEATURES, CANDIDATES)
    np.testing.assert_allclose(logits, expected, 1e-5, 1e-5)
    ranker.label_embeddings.assign(np.zeros((NUM_LABELS, DIM)))
    scores = keras.ops.sigmoid(ranker(FEATURES, CANDIDATES))
    np.testing.assert_allclose(scores, np.full((2, 4), initial_probability), 1e-5)


def test_repeats_are_not_masked_where_not_asked_for():
    ranker = make_ranker(mask_repeats=False)
    logits = np.asarray(ranker(FEATURES, WITH_PADS))
    assert ((logits == MASKED_LOGIT) == (WITH_PADS < 0)).all()
    assert logits[0, 0] == logits[0, 3] == logits[0, 6]


def test_masked_candidates_have_no_score_and_no_gradient():
    ranker = make_ranker()
    features = tf.constant(FEATURES)
    masked = expected_logits(ranker, FEATURES, WITH_PADS) == MASKED_LOGIT
    assert masked.sum() == 10
    with tf.GradientTape() as tape:
        tape.watch(features)
        scores = tf.sigmoid(ranker(features, WITH_PADS))
        # Were the masked ones to count, these factors would show it.
        loss = tf.reduce_sum(tf.where(masked, 1e6, 1.0) * scores)
    assert (np.asarray(scores)[masked] == 0).all()
    gradient = tape.gradient(loss, features)

    firsts = np.array([[3, 8], [5, 2]], "int32")
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(tf.sigmoid(ranker(features, firsts)))
    np.testing.assert_allclose(gradient, tape.gradient(loss, features), 1e-5, 1e-7)


@pytest.mark.parametrize("candidates", [CANDIDATES, WITH_PADS])
def test_gradient_of_the_table_is_sparse_and_right(candidates):
    ranker = make_ranker()
    factors = np.random.default_rng(1).normal(size=candidates.shape)
    with tf.GradientTape() as tape:
        logits = ranker(FEATURES, candidates)
        loss = tf.reduce_sum(tf.where(logits > -1e8, logits, 0.0) * factors)
    gradient = tape.gradient(loss, ranker.label_embeddings.value)
    assert isinstance(gradient, tf.IndexedSlices)

    expected = np.zeros((NUM_LABELS, DIM))
    kernel, bias = (v.numpy() for v in ranker.bottleneck.weights)
    for i, row in enumerate(candidates):
        for j, label in enumerate(row):
            if label >= 0 and label not in row[:j]:
                expected[label] += factors[i, j] * (FEATURES[i] @ kernel + bias)
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, 1e-5, 1e-6)
    assert set(gradient.indices.numpy()) == set(candidates[candidates >= 0])


def test_pads_touch_no_other_label():
    """Padding that reads row 0 would let an optimizer move the first label."""
    ranker = make_ranker()
    optimizer = RowwiseAdamW(0.1, weight_decay=0.1)
    optimizer.build(ranker.trainable_variables)
    before = ranker.label_embeddings.numpy()
    for candidates in ([[0, 3, 8, 1], [5, 2, 7, 6]], [[3, -1, 8, -1], [-1, 5, 2, -1]]):
        middle = ranker.label_embeddings.numpy()
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sigmoid(ranker(FEATURES, np.array(candidates))))
        gradients = tape.gradient(loss, ranker.trainable_variables)
        optimizer.apply(gradients)
    after = ranker.label_embeddings.numpy()
    assert (before != middle).any(axis=1).tolist() == [True] * 4 + [False] + [True] * 4
    touched = (middle != after).any(axis=1)
    assert np.flatnonzero(touched).tolist() == [2, 3, 5, 8]


def test_a_bfloat16_table_is_saved_and_trained(tmp_path):
    ranker = make_ranker(table_dtype="bfloat16")
    assert ranker.label_embeddings.dtype == "bfloat16"
    expected = make_ranker()
    table = keras.ops.cast(ranker.label_embeddings, "float32").numpy()
    expected.label_embeddings.assign(table)
    logits = ranker(FEATURES, CANDIDATES)
    assert logits.dtype == "float32"
    np.testing.assert_allclose(logits, expected(FEATURES, CANDIDATES), 1e-5, 1e-6)

    inputs = keras.Input((5,)), keras.Input((4,), dtype="int32")
    model = keras.Model(inputs, ranker(*inputs))
    model.compile(RowwiseAdamW(0.1), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit([FEATURES, CANDIDATES], np.ones((2, 4)), epochs=2, verbose=0)
    moved = keras.ops.cast(ranker.label_embeddings, "float32").numpy() != table
    touched = np.isin(np.arange(NUM_LABELS), CANDIDATES)
    np.testing.assert_array_equal(moved.any(axis=1), touched)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[-1].label_embeddings.dtype == "bfloat16"
    for m in (model, again):
        m.fit([FEATURES, CANDIDATES], np.ones((2, 4)), verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(a, b)


def handle_shape(resource):
    (variable,) = get_resource_handle_data(resource).shape_and_type
    return tuple(d.size for d in variable.shape.dim)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_step_never_holds_the_whole_table(policy):
    """Forward, backward and the optimizer: rows are gathered and scattered only."""
    ranker = make_ranker(dtype=policy)
    assert ranker.label_embeddings.dtype == "float32"
    optimizer = RowwiseAdamW(0.1)
    optimizer.build(ranker.trainable_variables)

    @tf.function
    def step(features, candidates):
        with tf.GradientTape() as tape:
            logits = ranker(features, candidates)
            loss = tf.reduce_sum(tf.sigmoid(logits))
        gradients = tape.gradient(loss, ranker.trainable_variables)
        optimizer.apply(gradients)
        return logits

    operations = graph_operations(step.get_concrete_function(FEATURES, CANDIDATES))
    table = (NUM_LABELS, DIM)
    users = {
        op.type
        for op in operations
        for x in op.inputs
        # The table itself and its two moments.
        if x.dtype == tf.resource and handle_shape(x) == table
    }
    assert users == {"ResourceGather", "ResourceScatterUpdate", "While"}
    whole = [
        (op.type, op.name)
        for op in operations
        for output in op.outputs
        if output.shape.rank == 2 and tuple(output.shape) == table
    ]
    assert not whole
    logits = step(FEATURES, CANDIDATES)
    assert logits.dtype == "float32" and np.isfinite(logits).all()


def test_a_plain_gather_would_hold_the_whole_table():
    """What the test above looks for is there where it should be."""
    ranker = make_ranker(dtype="mixed_bfloat16")

    @tf.function
    def call(ids):
        return keras.ops.take(ranker.label_embeddings, ids, axis=0)

    operations = call.get_concrete_function(CANDIDATES).graph.get_operations()
    shapes = [tuple(o.shape) for op in operations for o in op.outputs if o.shape.rank]
    assert (NUM_LABELS, DIM) in shapes


def test_config():
    ranker = make_ranker(bottleneck_activation="sigmoid", mask_repeats=False)
    config = ranker.get_config()
    assert config["bottleneck_activation"] == "sigmoid"
    assert config["mask_repeats"] is False
    again = DynamicCandidateRanker.from_config(config)
    assert again.bottleneck.activation is keras.activations.sigmoid


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_labels": 0}, "num_labels=0"),
        ({"num_labels": 3, "table_dtype": "int8"}, "table_dtype=int8"),
        ({"num_labels": 3, "bottleneck_dim": 0}, "bottleneck_dim=0"),
        ({"num_labels": 3, "initial_probability": 0}, "initial_probability=0"),
        ({"num_labels": 3, "initial_probability": 1}, "initial_probability=1"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        DynamicCandidateRanker(**arguments)
