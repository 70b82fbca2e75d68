"""The contract of `OneVsAll`, against a dense layer with a dense loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.tiny_lightxml import INPUTS, LABELS, NAMES, MeanEncoder
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.one_vs_all.one_vs_all import OneVsAll
from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead
from xmc_keras.optimizers.row_loss_scale import RowLossScale
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

NUM_LABELS, DIM = len(NAMES), 4
HOT = np.array([[label in row for label in range(NUM_LABELS)] for row in LABELS])
WEIGHTS = np.linspace(0.5, 2, len(LABELS)).astype("float32")


def make_model(num_blocks=1, optimizer=None, bottleneck_dim=None, **arguments):
    keras.utils.set_random_seed(0)
    size = -(-NUM_LABELS // num_blocks)
    head = OneVsAllHead(NUM_LABELS, size, bottleneck_dim, **arguments)
    model = OneVsAll(MeanEncoder(), head, label_names=NAMES, num_predictions=5)
    optimizer = optimizer or RowwiseAdamW(0.05, 0.0, sgd=["label_block"])
    model.compile(optimizer, metrics=[PrecisionAtK(1)])
    model(INPUTS)
    for block in head.blocks:
        block.assign(10 * block)
    return model


def table_of(model):
    return np.concatenate([block.numpy() for block in model.head.blocks])


@pytest.mark.parametrize("num_blocks", [1, 3, 7])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_equal_to_a_dense_layer_with_the_sum_of_all_losses(num_blocks, momentum):
    """SGD of the table by the sum over documents, of the encoder by the mean."""
    # Ten labels in seven blocks: five of two.
    optimizer = RowwiseAdamW(
        0.01, 0.0, {"label_block": 3.0}, sgd=["label_block"], momentum=momentum
    )
    model = make_model(num_blocks, optimizer)
    encoder = MeanEncoder()
    encoder(INPUTS)
    encoder.set_weights(model.encoder.get_weights())
    dense = keras.layers.Dense(NUM_LABELS, use_bias=False)
    dense.build((None, DIM))
    dense.set_weights([table_of(model).T])
    adam = keras.optimizers.Adam(0.01)
    descent = keras.optimizers.SGD(0.03, momentum=momentum)
    losses = []
    for start in (0, 4, 8):
        part = slice(start, start + 4)
        x = {name: values[part] for name, values in INPUTS.items()}
        with tf.GradientTape() as tape:
            logits = dense(encoder(x, training=True))
            crosses = keras.losses.binary_crossentropy(
                HOT[part].astype("float32"), logits, from_logits=True
            )
            total = tf.reduce_sum(crosses) * NUM_LABELS
        by_table, by_encoder = tape.gradient(
            total, [dense.kernel.value, encoder.table.value]
        )
        descent.apply([by_table], [dense.kernel])
        by_encoder = tf.convert_to_tensor(by_encoder)
        adam.apply([by_encoder / 4], [encoder.table])
        logs = model.train_on_batch(x, LABELS[part], return_dict=True)
        losses.append((logs["loss"], float(total) / 4))
        model.reset_metrics()
    found, expected = np.transpose(losses)
    np.testing.assert_allclose(found, expected, 1e-6)
    np.testing.assert_allclose(table_of(model).T, dense.kernel, 0, 1e-6)
    np.testing.assert_allclose(model.encoder.table, encoder.table, 0, 1e-6)


@pytest.mark.large
@pytest.mark.parametrize(
    "rules, jit_compile",
    [
        ({"sgd": ["label_block"], "momentum": 0.9}, True),
        pytest.param({"rowwise": []}, False, marks=pytest.mark.large),
        pytest.param(
            {"rowwise": ["label_block"], "partial": ["label_block"]},
            True,
            marks=pytest.mark.large,
        ),
    ],
)
def test_it_learns_its_data(rules, jit_compile):
    model = make_model(3, RowwiseAdamW(0.05, 0.0, **rules))
    model.compile(model.optimizer, metrics=[PrecisionAtK(1)], jit_compile=jit_compile)
    model.fit(INPUTS, LABELS, batch_size=4, epochs=60, verbose=0)
    logs = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    assert logs["precision_at_1"] > 0.9
    assert logs["loss"] < 4


def test_weights_of_documents():
    """A document of weight 0 changes nothing; the loss is a mean over documents."""
    weights = np.where(np.arange(len(LABELS)) < 8, 1.0, 0.0).astype("float32")
    models = make_model(3), make_model(3)
    models[0].train_on_batch(INPUTS, LABELS, sample_weight=weights)
    first = {name: values[:8] for name, values in INPUTS.items()}
    models[1].train_on_batch(first, LABELS[:8])
    np.testing.assert_allclose(*map(table_of, models), atol=1e-6)


@pytest.mark.parametrize("bottleneck_dim", [None, 3])
def test_files_and_predictions(bottleneck_dim, tmp_path):
    model = make_model(3, bottleneck_dim=bottleneck_dim)
    model.fit(INPUTS, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.label_set.names == NAMES
    found, expected = (m.predict(INPUTS, verbose=0) for m in (again, model))
    for name in ("predicted_ids", "scores"):
        np.testing.assert_array_equal(found[name], expected[name])
    hidden = model.head.project(model.encoder(INPUTS))
    logits = hidden.numpy() @ table_of(model).T
    order = np.argsort(-logits, axis=1)[:, :5]
    assert (found["predicted_ids"] == order).all()
    scores = 1 / (1 + np.exp(-np.take_along_axis(logits, order, 1)))
    np.testing.assert_allclose(found["scores"], scores, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "precision",
    [pytest.param("mixed_bfloat16", marks=pytest.mark.large), "mixed_float16"],
)
def test_half_precision(precision):
    keras.config.set_dtype_policy(precision)
    try:
        optimizer = RowwiseAdamW(0.05, 0.0, sgd=["label_block"])
        if precision == "mixed_float16":
            optimizer = RowLossScale(optimizer)
        model = make_model(3, optimizer)
        model.fit(INPUTS, LABELS, batch_size=4, epochs=60, verbose=0)
        logs = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    finally:
        keras.config.set_dtype_policy("float32")
    assert logs["precision_at_1"] > 0.9


def test_an_infinite_gradient_of_the_encoder_leaves_it_as_it_is():
    """In float16 the encoder skips the step, and the scale halves."""
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inner = RowwiseAdamW(0.05, 0.0, sgd=["label_block"])
        model = make_model(3, RowLossScale(inner, initial_scale=2.0**40))
        before = model.encoder.get_weights()
        model.train_on_batch(INPUTS, LABELS)
    finally:
        keras.config.set_dtype_policy("float32")
    assert (model.encoder.get_weights()[0] == before[0]).all()
    assert float(model.optimizer.dynamic_scale) == 2.0**39
    assert np.isfinite(table_of(model)).all()


def test_a_frozen_encoder():
    model = make_model(3)
    model.encoder.trainable = False
    model.compile(RowwiseAdamW(0.05, 0.0, sgd=["label_block"]))
    before, table = model.encoder.get_weights(), table_of(model)
    model.fit(INPUTS, LABELS, batch_size=4, verbose=0)
    assert (model.encoder.get_weights()[0] == before[0]).all()
    assert (table_of(model) != table).all() and int(model.optimizer.iterations) == 3


def test_other_optimizers_are_refused():
    model = make_model()
    model.compile("adam")
    with pytest.raises(ValueError, match="Expected.*RowwiseAdamW.*Received: Adam"):
        model.train_on_batch(INPUTS, LABELS)
    with pytest.raises(ValueError, match="Received: 1 names, 3 labels"):
        OneVsAll(MeanEncoder(), OneVsAllHead(3), label_names=["a"])
