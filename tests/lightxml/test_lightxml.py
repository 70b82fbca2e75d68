import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.graph_operations import graph_operations
from tests.helpers.tiny_lightxml import (
    CLUSTERS,
    IDS,
    INPUTS,
    LABELS,
    NUM_LABELS,
    NUM_PREDICTIONS,
    RNG,
    X,
    make_model,
)
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW


@pytest.fixture(scope="module")
def model():
    """A model that has learnt something; tests leave it as it is."""
    model = make_model()
    model.fit(X, LABELS, batch_size=4, epochs=5, verbose=0)
    model.run_eagerly = True  # many small calls, each of which would be a trace
    return model


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def expected_scores(model, x=INPUTS):
    """Of each document a dictionary from candidate label to its score, by loops."""
    features = np.asarray(model.encoder(x), "float64")
    kernel, bias = model.generator.kernel.numpy(), model.generator.bias.numpy()
    documents = []
    for feature in features:
        clusters = sigmoid(feature @ kernel + bias)
        kept = np.argsort(-clusters)[: model.generator.top_k]
        scores = {}
        for cluster in kept:
            for label in model.generator.clusters.numpy()[cluster]:
                if label < 0:
                    continue
                scores[int(label)] = clusters[cluster]
                if model.ranker is not None:
                    bottleneck = model.ranker.bottleneck
                    hidden = sigmoid(
                        feature @ bottleneck.kernel.numpy() + bottleneck.bias.numpy()
                    )
                    order = model.generator.clusters.numpy().ravel().tolist()
                    row = model.ranker.label_embeddings.numpy()[order.index(label)]
                    scores[int(label)] *= sigmoid(hidden @ row + np.log(0.01 / 0.99))
        documents.append(scores)
    return documents


def check_prediction(model, found, x=INPUTS):
    k = min(NUM_PREDICTIONS, model.generator.num_candidates)
    assert found["predicted_ids"].shape == found["scores"].shape == (12, k)
    assert (
        found["predicted_ids"].dtype == "int32" and found["scores"].dtype == "float32"
    )
    for ids, scores, expected in zip(*found.values(), expected_scores(model, x)):
        best = sorted(expected, key=expected.get, reverse=True)[:k]
        assert ids.tolist() == best + [-1] * (k - len(best))
        wanted = [expected[i] for i in best] + [0] * (k - len(best))
        np.testing.assert_allclose(scores, wanted, 1e-5, 1e-7)


def test_fit_evaluate_predict():
    model = make_model()
    history = model.fit(
        X,
        LABELS,
        batch_size=4,
        epochs=60,
        validation_data=(X, LABELS),
        validation_freq=30,
        verbose=0,
    ).history
    losses = {"loss", "cluster_loss", "ranking_loss"}
    measured = {"precision_at_1", "precision_at_3", "candidate_recall"}
    # Candidates of training hold the answers, so nothing is measured on them.
    assert set(history) == losses | {f"val_{name}" for name in losses | measured}
    assert history["loss"][-1] < 0.9 * history["loss"][0]
    parts = np.add(history["cluster_loss"], history["ranking_loss"])
    np.testing.assert_allclose(parts, history["loss"], 1e-5)

    found = model.predict(INPUTS, batch_size=5, verbose=0)
    check_prediction(model, found)
    metrics = model.evaluate(X, LABELS, batch_size=5, verbose=0, return_dict=True)
    for k in (1, 3):
        hits = [
            len(set(top[:k]) & (set(labels) - {-1})) / k
            for top, labels in zip(found["predicted_ids"].tolist(), LABELS.tolist())
        ]
        assert metrics[f"precision_at_{k}"] == pytest.approx(np.mean(hits), 1e-5)
    assert metrics["precision_at_1"] > 0.5
    recall = [
        len(set(candidates) & (set(labels) - {-1})) / len(set(labels) - {-1})
        for candidates, labels in zip(expected_scores(model), LABELS.tolist())
    ]
    assert metrics["candidate_recall"] == pytest.approx(np.mean(recall), 1e-5)
    for name in losses | measured:
        assert history[f"val_{name}"][-1] == pytest.approx(metrics[name], 1e-5)


def test_datasets_of_batches_of_any_shape():
    def batches():
        for start, stop, tokens, positives in [
            (0, 5, 6, 4),
            (5, 6, 9, 7),
            (6, 12, 6, 4),
        ]:
            ids = np.zeros((stop - start, tokens), "int32")
            ids[:, :6] = IDS[start:stop]
            labels = np.full((stop - start, positives), -1, "int32")
            labels[:, :4] = LABELS[start:stop]
            x = {"token_ids": ids, "padding_mask": ids > 0, "label_ids": labels}
            yield x, labels

    ids = tf.TensorSpec([None, None], tf.int32)
    mask = tf.TensorSpec([None, None], tf.bool)
    signature = {"token_ids": ids, "padding_mask": mask, "label_ids": ids}, ids
    data = tf.data.Dataset.from_generator(batches, output_signature=signature)
    data = data.apply(tf.data.experimental.assert_cardinality(3))

    model = make_model()
    model.fit(data, epochs=2, shuffle=False, verbose=0)
    assert int(model.optimizer.iterations) == 6
    found, expected = (model.predict(d, verbose=0) for d in (data, INPUTS))
    np.testing.assert_array_equal(found["predicted_ids"], expected["predicted_ids"])
    np.testing.assert_allclose(found["scores"], expected["scores"], 1e-5)
    found = model.evaluate(data, verbose=0, return_dict=True)
    expected = model.evaluate(X, LABELS, verbose=0, return_dict=True)
    assert found == pytest.approx(expected, 1e-5)


def test_one_label_a_cluster_without_ranker(tmp_path):
    clusters = RNG.permutation(NUM_LABELS)[:, None]
    model = make_model(clusters, NUM_LABELS, ranker=False)
    model.run_eagerly = True
    history = model.fit(X, LABELS, epochs=5, verbose=0).history
    assert set(history) == {"loss", "cluster_loss"}
    assert history["loss"][-1] < history["loss"][0]
    check_prediction(model, model.predict(INPUTS, verbose=0))
    metrics = model.evaluate(X, LABELS, verbose=0, return_dict=True)
    assert metrics["candidate_recall"] == 1.0
    # No candidates are learnt from, so it can be trained without `label_ids`.
    model.fit(INPUTS, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.ranker is None
    check_prediction(again, again.predict(INPUTS, verbose=0))


def test_fewer_candidates_than_predictions():
    model = make_model(top_k=1)
    found = model.predict(INPUTS, verbose=0)
    assert found["scores"].shape == (12, 3)
    check_prediction(model, found)
    # A cluster of two pads its row.
    model.generator.bias.assign([-9, 9, -9, -9])
    found = model.predict(INPUTS, verbose=0)
    assert (found["predicted_ids"][:, 2] == -1).all() and (
        found["scores"][:, 2] == 0
    ).all()


def test_evaluation_and_prediction_never_see_the_answers(model):
    expected = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    predicted = model.predict(INPUTS, verbose=0)
    wrong = (LABELS + 1) % NUM_LABELS
    cluster_ids = np.full((12, 1), 3)
    for more in (
        {"label_ids": LABELS},
        {"label_ids": wrong, "cluster_ids": cluster_ids},
    ):
        x = {**INPUTS, **more}
        assert model.evaluate(x, LABELS, verbose=0, return_dict=True) == expected
        found = model.predict(x, verbose=0)
        for name in ("predicted_ids", "scores"):
            np.testing.assert_array_equal(found[name], predicted[name])


@pytest.fixture(scope="module")
def single_losses(model):
    """The losses of each document by itself."""
    found = []
    for i in range(len(LABELS)):
        x = {name: values[i : i + 1] for name, values in X.items()}
        model.reset_metrics()  # of `fit` too: Keras 3.12 would continue with those
        found.append(model.test_on_batch(x, LABELS[i : i + 1], return_dict=True))
    model.reset_metrics()
    return found


@pytest.mark.parametrize(
    "weight",
    [RNG.random(12), RNG.random((12, 1)).astype("float32"), RNG.integers(0, 3, 12)],
)
def test_sample_weight(model, single_losses, weight):
    data = tf.data.Dataset.from_tensor_slices((X, LABELS, weight)).batch(12)
    found = model.evaluate(data, verbose=0, return_dict=True)
    for name in ("loss", "cluster_loss", "ranking_loss"):
        losses = [metrics[name] for metrics in single_losses]
        assert found[name] == pytest.approx(np.mean(losses * weight.ravel()), 1e-5)


def test_labels_that_training_never_saw(model):
    """They are relevant and unreachable, as those of `LabelSet.encode`."""
    unseen = np.full((12, 1), NUM_LABELS + 3)
    y = np.concatenate([LABELS, unseen], axis=1)
    found = model.evaluate(INPUTS, y, verbose=0, return_dict=True)
    known = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    counts = (LABELS >= 0).sum(axis=1)
    recalls = [
        len(set(candidates) & set(labels))
        for candidates, labels in zip(expected_scores(model), LABELS.tolist())
    ]
    recall = np.mean(recalls / (counts + 1))
    assert found == {**known, "candidate_recall": pytest.approx(recall, 1e-5)}


def test_an_empty_cluster_makes_no_loss_undefined():
    model = make_model([*CLUSTERS, [-1, -1, -1]], 1, loss_reduction="mean")
    model(INPUTS)
    model.generator.bias.assign([0, 0, 0, 0, 90])
    metrics = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    assert metrics["ranking_loss"] == 0 and np.isfinite(metrics["loss"])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(policy):
    keras.config.set_dtype_policy(policy)
    model = make_model()
    model.run_eagerly = True
    history = model.fit(X, LABELS, batch_size=12, epochs=5, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert {w.dtype for w in model.weights} == {"float32", "int64"}
    found = model.predict(INPUTS, verbose=0)
    assert found["scores"].dtype == "float32" and (found["scores"] >= 0).all()
    assert np.isfinite(model.evaluate(X, LABELS, verbose=0)).all()


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_training_step_never_holds_the_whole_label_table(policy):
    keras.config.set_dtype_policy(policy)
    model = make_model()
    model(INPUTS)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(model.train_step)
    # Five documents: of all twelve, other shapes would be that of the table.
    data = tf.nest.map_structure(lambda array: array[:5], (X, LABELS))
    operations = graph_operations(step.get_concrete_function(data))
    types = {op.type for op in operations}
    assert {"ResourceGather", "ResourceScatterUpdate"} <= types
    shapes = {
        tuple(output.shape)
        for op in operations
        for output in op.outputs
        if output.shape.rank is not None
    }
    assert (CLUSTERS.size, 3) not in shapes
    assert (40, 4) in shapes  # as is the encoder's own table, updated densely


@pytest.mark.large
def test_eager_graph_and_xla_agree():
    weights = []
    for mode in ({"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}):
        model = make_model()
        model(X)  # a table that is built within a graph is drawn in another way
        model.compile(RowwiseAdamW(0.05, global_clipnorm=1.0), **mode)
        model.fit(X, LABELS, batch_size=12, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for eager, graph, xla in zip(*weights, strict=True):
        np.testing.assert_allclose(graph, eager, 1e-4, 1e-5)
        np.testing.assert_allclose(xla, eager, 1e-4, 1e-5)


def test_recommendation_wants_a_list_tokenizer_and_names(model):
    with pytest.raises(ValueError, match="Expected a model with `label_names`"):
        model.recommend(["a"])
    model = make_model(tokenizer=object(), label_names=list("abcdefghij"))
    with pytest.raises(ValueError, match="list of strings. Received: None"):
        model.recommend(None)


def test_training_of_a_ranker_wants_label_ids():
    model = make_model()
    with pytest.raises(ValueError, match="Expected `label_ids`.*'padding_mask'"):
        model.fit(INPUTS, LABELS, verbose=0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"loss_reduction": "max"}, "loss_reduction=max"),
        ({"label_names": ["a", "b"]}, "2 names, 10 labels"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        make_model(**arguments)
