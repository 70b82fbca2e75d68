import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.numpy_adamw import NumpyAdamW
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.optimizers import row_updates
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.optimizers.warmup_decay import WarmupDecay

NO_DECAY = ["bias", "gamma", "beta"]
SHAPES = {
    "ranker/label_embeddings": (7, 3),
    "encoder/token_embeddings": (6, 2),
    "encoder/kernel": (4, 3),
    "ranker/bias": (5,),
}
TABLES = [name for name in SHAPES if name.endswith("embeddings")]


def make_variables():
    rng = np.random.default_rng(0)
    variables = {}
    for path, shape in SHAPES.items():
        scope, name = path.split("/")
        with keras.name_scope(scope):
            value = rng.normal(size=shape).astype("float32")
            variables[path] = keras.Variable(value, name=name)
    assert [v.path for v in variables.values()] == list(SHAPES)
    return variables


def make_steps(num_steps, repeats=True):
    """One dict per step, from path to gradient values and, for tables, their rows."""
    rng = np.random.default_rng(1)
    steps = []
    for _ in range(num_steps):
        step = {}
        for path, shape in SHAPES.items():
            if path in TABLES:
                rows = rng.choice(shape[0] - 1, 5 if repeats else 3, replace=repeats)
                shape = (len(rows), *shape[1:])
                step[path] = rng.normal(size=shape).astype("float32"), rows
            else:
                step[path] = rng.normal(size=shape).astype("float32"), None
        steps.append(step)
    return steps


def dense(path, values, rows):
    if rows is None:
        return values.astype("float64")
    gradient = np.zeros(SHAPES[path])
    np.add.at(gradient, rows, values)
    return gradient


def apply(optimizer, variables, steps, jit_compile=False):
    if not optimizer.built:
        optimizer.build(list(variables.values()))

    @tf.function(jit_compile=jit_compile, reduce_retracing=True)
    def update(values, rows):
        gradients = []
        for path, shape in SHAPES.items():
            gradient = values[path]
            if path in TABLES:
                gradient = tf.IndexedSlices(gradient, rows[path], tf.constant(shape))
            gradients.append(gradient)
        optimizer.apply(gradients)

    for step in steps:
        values = {path: tf.constant(v) for path, (v, _) in step.items()}
        rows = {path: tf.constant(step[path][1], tf.int32) for path in TABLES}
        update(values, rows)


def check(variables, oracles, tolerance=2e-6):
    for path, oracle in oracles.items():
        found = variables[path].numpy()
        np.testing.assert_allclose(found, oracle.weight, 0, tolerance, err_msg=path)


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("rowwise", [["label_embeddings"], ["embeddings"], []])
def test_equals_adamw_on_the_dense_gradient(rowwise, jit_compile):
    variables, steps = make_variables(), make_steps(5)
    schedule = WarmupDecay(0.1, total_steps=6, warmup_steps=3)
    optimizer = RowwiseAdamW(
        schedule, 0.3, multipliers={"ranker/label": 3.0, "ranker": 0.5}, rowwise=rowwise
    )
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    before = {path: v.numpy() for path, v in variables.items()}
    apply(optimizer, variables, steps, jit_compile)

    touched = {path: set() for path in TABLES}
    oracles = {
        path: NumpyAdamW(
            weight,
            decay=0.0 if path == "ranker/bias" else 0.3,
            # The first pattern that matches counts.
            factor={"ranker/label_embeddings": 3.0, "ranker/bias": 0.5}.get(path, 1.0),
            rowwise=any(name in path for name in rowwise),
        )
        for path, weight in before.items()
    }
    rates = [0.1 / 3, 0.2 / 3, 0.1, 0.1, 0.2 / 3]
    for rate, step in zip(rates, steps):
        for path, (values, rows) in step.items():
            oracles[path].step(dense(path, values, rows), rate, rows)
            if rows is not None:
                touched[path] |= set(rows.tolist())
    check(variables, oracles)
    moments = zip(SHAPES, optimizer._momentums, optimizer._velocities)
    for path, momentum, velocity in moments:
        np.testing.assert_allclose(momentum, oracles[path].m, 1e-5, 1e-6)
        np.testing.assert_allclose(velocity, oracles[path].v, 1e-5, 1e-6)
        if oracles[path].rowwise:
            rest = sorted(set(range(SHAPES[path][0])) - touched[path])
            assert rest  # the last row at least
            same = variables[path].numpy()[rest] == before[path][rest]
            assert same.all() and not np.asarray(momentum)[rest].any()
        else:
            assert (variables[path].numpy() != before[path]).all()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_many_rows_go_in_chunks(jit_compile, monkeypatch):
    monkeypatch.setattr(row_updates, "CHUNK", 4)  # one row of three numbers
    test_equals_adamw_on_the_dense_gradient(["embeddings"], jit_compile)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_partial_has_one_second_moment_a_row(jit_compile):
    variables, steps = make_variables(), make_steps(4)
    path = "ranker/label_embeddings"
    weight = variables[path].numpy().astype("float64")
    m, v = np.zeros(weight.shape), np.zeros(len(weight))
    optimizer = RowwiseAdamW(0.1, 0.3, partial=[path])
    apply(optimizer, variables, steps, jit_compile)
    for step, (values, rows) in enumerate((s[path] for s in steps), 1):
        gradient = dense(path, values, rows)
        for row in set(rows.tolist()):
            m[row] = 0.9 * m[row] + 0.1 * gradient[row]
            v[row] = 0.999 * v[row] + 0.001 * np.mean(gradient[row] ** 2)
            weight[row] *= 1 - 0.1 * 0.3
            rate = 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            weight[row] -= rate * m[row] / (np.sqrt(v[row]) + 1e-7)
    np.testing.assert_allclose(variables[path], weight, 0, 2e-6)
    shapes = [v.shape for v in optimizer.variables]
    assert shapes.count(SHAPES[path]) == shapes.count((len(weight), 1)) == 1


@pytest.mark.parametrize("jit_compile", [False, True])
def test_sgd_has_no_moments(jit_compile):
    variables, steps = make_variables(), make_steps(3)
    path = "ranker/label_embeddings"
    expected = variables[path].numpy().astype("float64")
    optimizer = RowwiseAdamW(0.1, 0.3, multipliers={path: 5.0}, sgd=["label_emb"])
    apply(optimizer, variables, steps, jit_compile)
    for values, rows in (step[path] for step in steps):
        touched = sorted(set(rows.tolist()))
        expected[touched] *= 1 - 0.5 * 0.3
        expected -= 0.5 * dense(path, values, rows)
    np.testing.assert_allclose(variables[path], expected, 0, 1e-6)
    kept = [v.shape for v in optimizer.variables]
    assert kept.count(SHAPES[path]) == 0
    assert kept.count(SHAPES["encoder/kernel"]) == 2


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_dense_gradients_of_tables(momentum, jit_compile):
    """SGD as PyTorch has it, and Adam with one second moment a row."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=(5, 4)).astype("float32")
    steps = rng.normal(size=(3, 2, 5, 4)).astype("float32")
    variables = [keras.Variable(start, name=name) for name in ("descends", "partial")]
    optimizer = RowwiseAdamW(
        0.1,
        0.3,
        rowwise=["partial"],
        partial=["partial"],
        sgd=["descends"],
        momentum=momentum,
    )
    optimizer.build(variables)
    step = tf.function(optimizer.apply, jit_compile=jit_compile, autograph=False)
    for gradients in steps:
        step([tf.constant(gradient) for gradient in gradients])
    rows, velocity = start.astype("float64"), 0
    for gradient in steps[:, 0]:
        velocity = momentum * velocity + gradient + 0.3 * rows
        rows = rows - 0.1 * velocity
    np.testing.assert_allclose(variables[0], rows, 0, 1e-6)
    rows, m, v = start.astype("float64"), 0, 0
    for i, gradient in enumerate(steps[:, 1], 1):
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * np.mean(gradient**2, axis=1, keepdims=True)
        rate = 0.1 * np.sqrt(1 - 0.999**i) / (1 - 0.9**i)
        rows = rows * (1 - 0.1 * 0.3) - rate * m / (np.sqrt(v) + 1e-7)
    np.testing.assert_allclose(variables[1], rows, 0, 1e-5)
    assert [v.shape for v in optimizer.variables].count((5, 1)) == 1


@pytest.mark.parametrize("sgd", [[], ["table"]])
@pytest.mark.parametrize("sparse", [True, False])
def test_a_bfloat16_table_moves_as_one_of_float32_on_average(sparse, sgd):
    """Each step is far smaller than the distance to the next bfloat16, 2 ** -8."""
    size = 4000
    rows = [1, 3]
    table = keras.Variable(np.ones((5, size)), dtype="bfloat16", name="table")
    optimizer = RowwiseAdamW(1e-4, 0.0, rowwise=["table"], sgd=sgd)
    optimizer.build([table])
    gradient = tf.IndexedSlices(tf.ones((2, size)), rows, tf.constant([5, size]))
    if not sparse:
        gradient = tf.convert_to_tensor(gradient)
    for _ in range(20):
        optimizer.apply([gradient])
    found = np.asarray(keras.ops.cast(table, "float32"))
    moments = [v for v in optimizer.variables if v.shape == (5, size)]
    assert [v.dtype for v in moments] == ([] if sgd else ["float32"] * 2)
    assert (found[[0, 2, 4]] == 1).all()
    assert set(np.unique(found[rows])) <= {1 - 2**-8 * i for i in range(12)}
    # Each number has moved by 0.002 +- 0.003; the mean of 8,000 is much more precise.
    assert found[rows].mean() == pytest.approx(1 - 20 * 1e-4, abs=2e-4)


def test_without_rowwise_and_repeats_it_is_keras_adamw():
    steps = make_steps(4, repeats=False)
    found = []
    for cls, arguments in [
        (RowwiseAdamW, {"rowwise": []}),
        (keras.optimizers.AdamW, {}),
    ]:
        optimizer = cls(learning_rate=0.1, weight_decay=0.3, **arguments)
        optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
        variables = make_variables()
        apply(optimizer, variables, steps)
        found.append(variables)
    for path in SHAPES:
        ours, theirs = (variables[path].numpy() for variables in found)
        np.testing.assert_allclose(ours, theirs, 1e-5, 1e-6)


@pytest.mark.parametrize(
    "argument, limit, rowwise, jit_compile",
    [
        ("clipnorm", 1e-6, ["label_embeddings"], False),
        ("clipnorm", 1e-6, [], False),
        ("clipnorm", 3.0, ["label_embeddings"], False),
        ("global_clipnorm", 1e-6, ["label_embeddings"], False),
        ("global_clipnorm", 1e-6, ["label_embeddings"], True),
        ("global_clipnorm", 1e-6, [], False),
        ("global_clipnorm", 100.0, ["label_embeddings"], False),
    ],
)
def test_clipping_is_by_the_norm_of_the_dense_gradient(
    argument, limit, rowwise, jit_compile
):
    """With a limit of 1e-6, Adam's epsilon makes the step depend on the norm."""
    variables, steps = make_variables(), make_steps(2)
    oracles = {
        path: NumpyAdamW(v.numpy(), rowwise=any(p in path for p in rowwise))
        for path, v in variables.items()
    }
    optimizer = RowwiseAdamW(0.1, 0.0, rowwise=rowwise, **{argument: limit})
    apply(optimizer, variables, steps, jit_compile)
    for step in steps:
        gradients = {path: dense(path, *step[path]) for path in SHAPES}
        total = np.sqrt(sum((g**2).sum() for g in gradients.values()))
        for path, gradient in gradients.items():
            norm = total if argument[0] == "g" else np.linalg.norm(gradient)
            clipped = gradient * min(1, limit / norm)
            oracles[path].step(clipped, 0.1, step[path][1])
    check(variables, oracles)
    table = variables["ranker/label_embeddings"].numpy()
    assert (table[-1] == make_variables()["ranker/label_embeddings"][-1]).numpy().all()


def test_a_gradient_of_zero_can_be_clipped():
    variables, (step,) = make_variables(), make_steps(1)
    before = {path: v.numpy() for path, v in variables.items()}
    zeros = {path: (0 * v, rows) for path, (v, rows) in step.items()}
    apply(RowwiseAdamW(0.1, 0.0, global_clipnorm=1.0), variables, [zeros])
    for path, value in before.items():
        np.testing.assert_array_equal(variables[path], value)


def test_loss_scaling():
    variables, (step,) = make_variables(), make_steps(1)
    optimizer = RowwiseAdamW(0.1, 0.3)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0)
    before = {path: v.numpy() for path, v in variables.items()}
    broken = {path: (v.copy(), rows) for path, (v, rows) in step.items()}
    broken["ranker/label_embeddings"][0][2, 1] = np.inf
    apply(scaled, variables, [broken])
    for path, value in before.items():
        np.testing.assert_array_equal(variables[path], value)
    assert int(optimizer.iterations) == 0 and float(scaled.dynamic_scale) == 512

    larger = {path: (v * np.float32(512), rows) for path, (v, rows) in step.items()}
    apply(scaled, variables, [larger])
    rowwise = "ranker/label_embeddings"
    oracles = {
        path: NumpyAdamW(value, decay=0.3, rowwise=path == rowwise)
        for path, value in before.items()
    }
    for path, (values, rows) in step.items():
        oracles[path].step(dense(path, values, rows), 0.1, rows)
    check(variables, oracles)


def ranking_model():
    keras.utils.set_random_seed(0)
    features = keras.Input((4,))
    candidates = keras.Input((None,), dtype="int32")
    ranker = DynamicCandidateRanker(6, 3, name="ranker")
    return keras.Model([features, candidates], ranker(features, candidates))


FEATURES = np.random.default_rng(2).normal(size=(2, 4)).astype("float32")
DATA = [FEATURES, np.array([[0, 2, 3], [3, 2, 5]])], np.ones((2, 3), "float32")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_training_continues_after_save_and_load(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    model = ranking_model()
    schedule = WarmupDecay(0.1, total_steps=9, warmup_steps=4)
    optimizer = RowwiseAdamW(schedule, 0.5, multipliers={"label_embeddings": 2.0})
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer, loss, run_eagerly=True)
    assert isinstance(
        model.optimizer,
        keras.optimizers.LossScaleOptimizer
        if policy == "mixed_float16"
        else RowwiseAdamW,
    )
    start = model.get_weights()
    model.fit(*DATA, epochs=3, verbose=0)
    trained = model.get_weights()
    assert all((a != b).any() for a, b in zip(start, trained))
    table = model.get_layer("ranker").label_embeddings.numpy()
    untouched = np.array([1, 4])
    np.testing.assert_array_equal(table[untouched], start[0][untouched])

    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for m in (model, again):
        m.fit(*DATA, epochs=2, verbose=0)
    for a, b, c in zip(model.get_weights(), again.get_weights(), trained):
        np.testing.assert_allclose(a, b, 1e-6, 1e-7)
        assert (a != c).any()


def test_config():
    optimizer = RowwiseAdamW(
        WarmupDecay(1e-3, 10, 2),
        weight_decay=0.02,
        multipliers={"head": 20.0},
        rowwise=["label_embeddings", "token"],
        partial=["label_embeddings"],
        sgd=["token"],
        global_clipnorm=1.5,
    )
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    scaled = keras.optimizers.LossScaleOptimizer(optimizer)
    for before in (optimizer, scaled):
        config = keras.saving.serialize_keras_object(before)
        after = keras.saving.deserialize_keras_object(config)
        assert after.get_config() == before.get_config()
    after = after.inner_optimizer
    assert after.multipliers == {"head": 20.0}
    assert after.rowwise == ["label_embeddings", "token"]
    assert after.sgd == ["token"] and after.partial == ["label_embeddings"]
    assert after.global_clipnorm == 1.5
    assert not after._use_weight_decay(keras.Variable([1.0], name="bias"))
    assert after._use_weight_decay(keras.Variable([1.0], name="kernel"))


def test_the_rate_can_be_set():
    variables, (step,) = make_variables(), make_steps(1)
    before = {path: v.numpy() for path, v in variables.items()}
    optimizer = RowwiseAdamW(0.1, 0.0)
    optimizer.learning_rate = 0.0
    apply(optimizer, variables, [step])
    for path, value in before.items():
        np.testing.assert_array_equal(variables[path], value)


def test_errors():
    with pytest.raises(ValueError, match="Expected.*Received: amsgrad=True"):
        RowwiseAdamW(amsgrad=True)
    with pytest.raises(ValueError, match="Expected.*clipvalue=0.5"):
        RowwiseAdamW(clipvalue=0.5)
    with pytest.raises(ValueError, match="weight_decay"):
        RowwiseAdamW(weight_decay=None)
    for momentum in (-0.1, 1.0):
        with pytest.raises(ValueError, match="`momentum` at least 0.*Received: mom"):
            RowwiseAdamW(momentum=momentum)
    table = keras.Variable(np.ones((2, 3)), dtype="bfloat16", name="table")
    optimizer = RowwiseAdamW(sgd=["table"], momentum=0.9)
    with pytest.raises(ValueError, match="float32 tables with `momentum`.*bfloat16"):
        optimizer.build([table])
