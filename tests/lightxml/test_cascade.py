"""LightXML of several levels against loops over levels, documents and candidates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.tiny_cascade import (
    BOTTLENECK,
    DIMS,
    LABELS,
    NUM_LABELS,
    POSITIVES,
    TABLES,
    TOP_KS,
    X,
    cluster_of,
    feature_parts,
    make_cascade,
    path_of,
    row_of_label,
    run_cascade,
    sigmoid,
    variables_of,
    weights_of,
)
from tests.helpers.tiny_lightxml import IDS, INPUTS
from xmc_keras.lightxml.cluster_generator import ClusterGenerator
from xmc_keras.lightxml.cluster_ranker import ClusterRanker
from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
from xmc_keras.lightxml.lightxml import LightXML
from xmc_keras.lightxml.start_from_centroids import start_from_centroids
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW


def check_prediction(model, top_ks=TOP_KS, level_dims=DIMS, score="product"):
    w, found = weights_of(model), model.predict(INPUTS, verbose=0)
    parts = feature_parts(w["encoder/table"], level_dims)
    for document, (ids, scores) in enumerate(zip(*found.values())):
        logits, products = run_cascade(w, parts, document, top_ks=top_ks)
        expected = products[-1]
        if score == "label":
            expected = {i: sigmoid(x) for i, x in logits[-1].items()}
        best = sorted(expected, key=expected.get, reverse=True)[: len(ids)]
        pads = len(ids) - len(best)
        assert ids.tolist() == best + pads * [-1]
        wanted = [expected[i] for i in best] + pads * [0]
        np.testing.assert_allclose(scores, wanted, 1e-5, 1e-9)


@pytest.mark.parametrize(
    "top_ks, level_dims, score",
    [
        (TOP_KS, DIMS, "product"),
        ([2, 3, 5], DIMS, "product"),
        ([1, 1, 1], None, "product"),  # fewer labels than predictions
        ([2, 4, 3], DIMS, "label"),
    ],
)
def test_prediction_equals_loops(top_ks, level_dims, score, tmp_path):
    model = make_cascade(top_ks, level_dims, score=score)
    check_prediction(model, top_ks, level_dims, score)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert [level.top_k for level in again.levels] == top_ks[1:]
    assert again.level_dims == model.level_dims
    check_prediction(again, top_ks, level_dims, score)


def test_scores_of_given_labels_are_products_over_all_levels():
    model = make_cascade()
    w = weights_of(model)
    parts = feature_parts(w["encoder/table"])
    ids = np.tile(np.arange(-1, NUM_LABELS, dtype="int32"), (len(IDS), 1))
    found = model.score_labels(tf.constant(ids), *model.encode(INPUTS))
    for document, scores in enumerate(found):
        # With all clusters kept, every label is a candidate.
        _, products = run_cascade(w, parts, document, top_ks=[2, 4, 8])
        wanted = [0, *(products[-1][label] for label in range(NUM_LABELS))]
        np.testing.assert_allclose(scores, wanted, 1e-5, 1e-9)


def cross_entropy(logits, right):
    target = tf.constant([float(i in right) for i in logits], tf.float64)
    logits = tf.stack(list(logits.values()))
    return tf.nn.sigmoid_cross_entropy_with_logits(target, logits)


def written_out_loss(w, reduction):
    """The mean loss of the documents, in plain TensorFlow and float64."""
    total = 0.0
    plain = {name: x.numpy() for name, x in w.items()}
    for document, positives in enumerate(POSITIVES):
        ids = [i for i in IDS[document] if i > 0]
        feature = tf.reduce_mean(tf.gather(w["encoder/table"], ids), axis=0)
        parts = tf.split(feature, DIMS)
        chosen, _ = run_cascade(
            plain, feature_parts(plain["encoder/table"]), document, positives
        )
        rights = [{path_of(label)[level] for label in positives} for level in range(3)]
        kernel, bias = (w[f"generator/{n}"] for n in ("kernel", "bias"))
        logits = dict(enumerate(tf.linalg.matvec(kernel, parts[0], True) + bias))
        losses = [cross_entropy(logits, rights[0])]
        for level, right in zip((1, 2, 3), [*rights[1:], set(positives)]):
            path = f"ranker_{level}"
            kernel, bias = (w[f"{path}/{n}"] for n in ("kernel", "bias"))
            hidden = tf.sigmoid(tf.linalg.matvec(kernel, parts[level], True) + bias)
            table, logits = w[f"{path}/table"], {}
            for i in chosen[level]:
                row = table[i if level < 3 else row_of_label(i)]
                logits[i] = tf.tensordot(row, hidden, 1) + np.log(0.01 / 0.99)
            losses.append(cross_entropy(logits, right))
        reduce = tf.reduce_sum if reduction == "sum" else tf.reduce_mean
        total += sum(map(reduce, losses)) / len(POSITIVES)
    return total


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_loss_and_gradients_are_those_written_out(reduction):
    model = make_cascade(loss_reduction=reduction)
    w = {name: tf.Variable(value) for name, value in weights_of(model).items()}
    with tf.GradientTape() as tape:
        expected = written_out_loss(w, reduction)
    gradients = tape.gradient(expected, w)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(X, LABELS, model(X, training=True))
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    for name, found in tape.gradient(
        loss, {name: x.value for name, x in variables_of(model).items()}
    ).items():
        wanted = tf.convert_to_tensor(gradients[name])
        assert np.abs(wanted).max() > 1e-4, name
        found = tf.convert_to_tensor(found)
        np.testing.assert_allclose(found, wanted, 1e-4, 1e-6, err_msg=name)
    names = [tracker.name for tracker in model.loss_trackers]
    assert names == ["cluster_loss", "cluster_loss_2", "cluster_loss_3", "ranking_loss"]
    parts = [float(tracker.result()) for tracker in model.loss_trackers]
    assert sum(parts) == pytest.approx(float(loss), rel=1e-5)


def test_no_positive_is_lost_at_any_level():
    model = make_cascade([1, 1, 1])
    outputs = model(X, training=True)
    for document, positives in enumerate(POSITIVES):
        for level, found in enumerate(outputs["levels"], 1):
            candidates = found["candidates"][document].numpy().tolist()
            real = [i for i in candidates if i >= 0]
            assert len(set(real)) == len(real)
            assert {path_of(label)[level] for label in positives} <= set(real)
        candidates = outputs["candidates"][document].numpy().tolist()
        assert set(positives) <= set(candidates)


def test_one_cluster_level_is_the_model_without_levels(tmp_path):
    """Files of earlier versions do not know `levels`."""

    def make(**arguments):
        keras.utils.set_random_seed(0)
        return LightXML(
            make_cascade().encoder,
            ClusterGenerator(TABLES[2], 3),
            DynamicCandidateRanker(24, BOTTLENECK),
            num_predictions=8,
            **arguments,
        )

    plain, listed = make(), make(levels=[], level_dims=None)
    config = plain.get_config()
    assert (config.pop("levels"), config.pop("level_dims")) == ([], None)
    old = LightXML.from_config(config)
    for model in (plain, listed, old):
        model(INPUTS)
        model.set_weights(plain.get_weights())
    expected = plain.predict(INPUTS, verbose=0)
    for model in (listed, old):
        found = model.predict(INPUTS, verbose=0)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])
    assert list(plain(X, training=True)) == ["cluster_logits", "candidates", "logits"]


@pytest.mark.large
@pytest.mark.parametrize("jit_compile", [False, True])
def test_training_in_a_graph_learns_what_it_does_without(jit_compile):
    losses, weights = [], []
    for mode in ({"run_eagerly": True}, {"jit_compile": jit_compile}):
        model = make_cascade()
        model.compile(RowwiseAdamW(0.05), **mode)
        history = model.fit(X, LABELS, batch_size=6, epochs=4, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        weights.append(model.get_weights())
    assert losses[0][-1] < 0.9 * losses[0][0]
    np.testing.assert_allclose(*losses, 1e-3)
    for found, expected in zip(*weights, strict=True):
        np.testing.assert_allclose(found, expected, 1e-3, 1e-3)
    check_prediction(model)
    metrics = model.evaluate(X, LABELS, verbose=0, return_dict=True)
    w = weights_of(model)
    parts, recalls = feature_parts(w["encoder/table"]), []
    for document, positives in enumerate(POSITIVES):
        found, _ = run_cascade(w, parts, document)
        recalls.append(len(set(positives) & set(found[-1])) / max(len(positives), 1))
    assert metrics["candidate_recall"] == pytest.approx(np.mean(recalls), 1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = make_cascade()
    model.compile(RowwiseAdamW(0.05), run_eagerly=True)
    history = model.fit(X, LABELS, batch_size=12, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    # Products stay in float32.
    dtypes = {
        x.dtype.name for x in tf.nest.flatten(model(INPUTS)) if x.dtype.is_floating
    }
    assert dtypes == {"float32"}


def test_every_level_starts_from_the_centroids_of_its_clusters():
    model = make_cascade()
    features = np.asarray(model.encoder(INPUTS))
    start_from_centroids(model, [(INPUTS, LABELS)])
    part = np.split(features, np.cumsum(DIMS)[:-1], axis=1)[1]
    level = model.levels[0]
    hidden = np.asarray(level.ranker.bottleneck(part), "float64")
    mean = hidden.mean(axis=0)
    distance = np.sqrt(np.square(hidden - mean).sum(axis=1).mean())
    direction = mean / np.linalg.norm(mean)
    seen = 0
    for cluster in range(4):
        own = [
            document
            for document, positives in enumerate(POSITIVES)
            if any(path_of(label)[1] == cluster for label in positives)
        ]
        row = hidden[own].mean(axis=0) - mean
        row -= direction * (row @ direction)
        row *= 4 / distance / np.linalg.norm(row)
        table = level.ranker.label_embeddings
        np.testing.assert_allclose(table[cluster], row, 1e-3, 1e-4)
        seen += 1
    assert seen == 4 == level.num_clusters


def test_what_labels_are_at_each_level():
    model = make_cascade()
    ids = np.array([[5, -1, 17, 99]], "int32")
    found = [x.numpy().tolist() for x in model.labels_by_level(tf.constant(ids))[:-1]]
    for level, row in enumerate(found):
        expected = [path_of(label)[level + 1] for label in (5, 17)]
        assert row == [[expected[0], -1, expected[1], -1]]
    assert cluster_of(0, found[0][0][0]) == path_of(5)[0]


def make_levels(top_k=2, num_rows=4):
    generator = ClusterGenerator(TABLES[0], 1)
    ranker = DynamicCandidateRanker(num_rows, 3)
    return generator, ClusterRanker(TABLES[1], top_k, ranker)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: make_levels(num_rows=5), "num_labels=4. Received: num_labels=5"),
        (lambda: make_levels(top_k=3), "of the level above, 2. Received: top_k=3"),
        (lambda: make_levels()[::-1], "level above has labels, 8. Received: 2"),
        (make_levels, "ranker.*Received: num_labels=7"),
    ],
)
def test_errors_of_levels_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=f"Expected.*{message}"):
        generator, level = make()
        if not isinstance(generator, ClusterGenerator):
            other = ClusterRanker(TABLES[0], 1, DynamicCandidateRanker(2, 3))
            generator, level = ClusterGenerator(TABLES[1], 2), other
        LightXML(
            make_cascade().encoder,
            generator,
            DynamicCandidateRanker(7, 3),
            levels=[level],
        )


def test_errors_of_level_dims_and_a_missing_ranker():
    with pytest.raises(ValueError, match=r"the ranker, 4. Received: level_dims=\[2,"):
        make_cascade(level_dims=[2, 3])
    with pytest.raises(ValueError, match=r"add up to .*10.*Received: \[2, 3, 2, 9\]"):
        make_cascade(level_dims=[2, 3, 2, 9])
    generator, level = make_levels()
    with pytest.raises(ValueError, match="Received: ranker=None"):
        LightXML(make_cascade().encoder, generator, levels=[level])
