import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.lightdxml_case import (
    DIM,
    IDS,
    INPUTS,
    LABELS,
    NUM_FEATURES,
    NUM_LABELS,
    RNG,
    SHORTLIST,
    WORD_GAINS,
    make_model,
)
from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
from xmc_keras.text.word_vectorizer import WordVectorizer

X = {**INPUTS, "label_ids": LABELS, "shortlist": SHORTLIST}


def all_logits(model):
    features = np.asarray(model.encoder(INPUTS), "float64")
    weights = model.classifier.label_weights.numpy().astype("float64")
    return features, features @ weights.T + model.classifier.label_bias.numpy()


def with_words(**arguments):
    """The same with words of labels, also from documents outside `INPUTS`."""
    lexical = LabelWords(
        NUM_LABELS, NUM_FEATURES, num_words=6, coarse_words=2, initial_scale=3.0
    )
    model = make_model(lexical=lexical, **arguments)
    lexical.refresh(*training_part())
    lexical.gains.assign(WORD_GAINS[:, None])
    return model


def training_part():
    """Rows and labels of the documents of `INPUTS` and of ten others."""
    rng = np.random.default_rng(2)
    features = rng.random((20, NUM_FEATURES)) * (rng.random((20, NUM_FEATURES)) < 0.3)
    features[:10] = word_rows()
    labels = rng.random((20, NUM_LABELS)) < 0.3
    for i in range(10):
        labels[i] = np.isin(np.arange(NUM_LABELS), LABELS[i])
    return features.astype("float32"), labels.astype("float32")


def word_rows():
    rows = np.zeros((10, NUM_FEATURES))
    for i, column in zip(*np.nonzero(IDS >= 0)):
        rows[i, IDS[i, column]] = INPUTS["token_weights"][i, column]
    return rows


def lexical_logits(left_out, num_words=6):
    """Of all documents and labels (10, labels), in NumPy."""
    features, labels = (part.astype("float64") for part in training_part())
    sums = labels.T @ features
    order = np.argsort(-sums, axis=1, kind="stable")
    kept = np.zeros(sums.shape)
    np.put_along_axis(kept, order[:, :num_words], 1, axis=1)
    sums *= kept
    gained = WORD_GAINS * word_rows()
    cosines = gained @ sums.T / np.maximum(np.linalg.norm(sums, axis=1), 1e-12)
    for i, label in np.argwhere(labels[:10]) if left_out else []:
        rest = sums[label] - features[i] * kept[label]
        cosines[i, label] = gained[i] @ rest / max(np.linalg.norm(rest), 1e-12)
    return 3 * cosines


def bce(logit, target):
    probability = 1 / (1 + np.exp(-logit))
    return -np.log(probability if target else 1 - probability)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_loss_over_each_shortlist(jit_compile):
    model = make_model(max_positives=None)
    _, logits = all_logits(model)
    losses = []
    for i in range(10):
        loss = sum(bce(logits[i, x], True) for x in LABELS[i] if x >= 0)
        losses.append(
            loss + sum(bce(logits[i, x], False) for x in SHORTLIST[i] if x >= 0)
        )

    @tf.function(jit_compile=jit_compile)
    def loss_of(x):
        outputs = model(x, training=True)
        return model.compute_loss(x=x, y=x["label_ids"], y_pred=outputs)

    np.testing.assert_allclose(loss_of(X), np.mean(losses), 1e-4)
    weights = np.arange(10.0)
    outputs = model(X, training=True)
    found = model.compute_loss(X, LABELS, outputs, weights)
    np.testing.assert_allclose(found, np.mean(weights * losses), 1e-4)


@pytest.mark.parametrize("random_negatives", [0, 50])
def test_loss_over_shared_negatives(random_negatives, monkeypatch):
    monkeypatch.setattr("xmc_keras.ops.row_pools.row_pool.__defaults__", (1,))
    model = make_model(shared_negatives=True, random_negatives=random_negatives)
    _, logits = all_logits(model)
    shared = {*LABELS[LABELS >= 0], *SHORTLIST[SHORTLIST >= 0]}
    if random_negatives:
        shared = set(range(NUM_LABELS))  # all labels are drawn
    losses = [sum(bce(logits[i, x], x in LABELS[i]) for x in shared) for i in range(10)]
    outputs = model(X, training=True)
    found = model.compute_loss(X, LABELS, outputs)
    np.testing.assert_allclose(found, np.mean(losses), 1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_loss_with_words_of_labels(shared, monkeypatch):
    """Positives have the cosine with other documents of the label."""
    monkeypatch.setattr("xmc_keras.ops.row_pools.row_pool.__defaults__", (1,))
    model = with_words(max_positives=None, shared_negatives=shared)
    logits = all_logits(model)[1] + lexical_logits(left_out=True)
    losses = []
    for i in range(10):
        scored = {*LABELS[i], *SHORTLIST[i]} - {-1}
        if shared:
            scored = {*LABELS[LABELS >= 0], *SHORTLIST[SHORTLIST >= 0]}
        losses.append(sum(bce(logits[i, x], x in LABELS[i]) for x in scored))
    with tf.GradientTape() as tape:
        found = model.compute_loss(X, LABELS, model(X, training=True))
    np.testing.assert_allclose(found, np.mean(losses), 1e-4)
    assert abs(tape.gradient(found, model.lexical.scale.value)) > 1e-3


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_prediction_with_words_of_labels(candidates_from):
    model = with_words(candidates_from=candidates_from, beta=1.0)
    found = model(INPUTS)
    features, logits = all_logits(model)
    whole = logits + lexical_logits(left_out=False)
    candidates = found["candidates"].numpy()
    expected = np.take_along_axis(whole, candidates, axis=1)
    np.testing.assert_allclose(found["logits"], expected, 1e-3, 1e-3)
    words = model.read_words(INPUTS)
    again = model.logits(features.astype("float32"), candidates, words)
    np.testing.assert_allclose(again, expected, 1e-3, 1e-3)
    if candidates_from == "classifier":  # by the two heaviest words of each label
        share = whole_lengths(2) / np.maximum(whole_lengths(6), 1e-12)
        by = logits + lexical_logits(left_out=False, num_words=2) * share
        best = np.argsort(-by, axis=1)[:, :7]
        np.testing.assert_array_equal(np.sort(candidates), np.sort(best))


def whole_lengths(num_words):
    features, labels = training_part()
    sums = -np.sort(-(labels.T @ features), axis=1)[:, :num_words]
    return np.linalg.norm(sums, axis=1)


def test_only_some_positives_count():
    model = make_model(max_positives=1)
    outputs = model(X, training=True)
    _, logits = all_logits(model)
    positive = outputs["positive_logits"].numpy()
    assert positive.shape == (10, 1)
    for i in range(10):
        own = logits[i, LABELS[i][LABELS[i] >= 0]]
        assert np.abs(own - positive[i, 0]).min() < 1e-4


def test_gradients_of_tables_are_sparse():
    model = make_model()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(X, LABELS, model(X, training=True))
    gradients = dict(
        zip(
            [v.name for v in model.trainable_variables],
            tape.gradient(loss, [v.value for v in model.trainable_variables]),
        )
    )
    for name in ("token_embeddings", "label_weights", "label_bias"):
        assert isinstance(gradients[name], tf.IndexedSlices)
    assert "label_embeddings" not in gradients and "beta" not in gradients


def expected_prediction(model, beta):
    """By the published equations, in NumPy."""
    features, logits = all_logits(model)
    table = model.nearest.label_embeddings.numpy().astype("float64")
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    cosines = features @ table.T / norms / np.linalg.norm(table, axis=1)
    by = cosines if model.candidates_from == "embeddings" else logits
    rows = []
    for i in range(10):
        candidates = np.argsort(-by[i])[:7]
        a, b = (1 / (1 + np.exp(-x[i][candidates])) for x in (logits, cosines))
        scores = beta * a / np.linalg.norm(a) + (1 - beta) * b / np.linalg.norm(b)
        rows.append(candidates[np.argsort(-scores)[:5]])
    return np.array(rows)


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
@pytest.mark.parametrize("beta", [0.1, 0.75, 1.0])
def test_prediction(candidates_from, beta):
    model = make_model(candidates_from=candidates_from, beta=beta)
    model.run_eagerly = beta < 1  # a graph is traced for one of three
    found = model.predict(INPUTS, verbose=0)
    assert sorted(found) == ["predicted_ids", "scores"]
    np.testing.assert_array_equal(
        found["predicted_ids"], expected_prediction(model, beta)
    )
    scores = found["scores"]
    assert scores.dtype == np.float32 and (np.diff(scores, axis=1) <= 0).all()
    assert (0 <= scores).all() and (scores <= 1).all()
    model.beta.assign(0.4)
    found = model.predict(INPUTS, verbose=0)["predicted_ids"]
    np.testing.assert_array_equal(found, expected_prediction(model, 0.4))


@pytest.mark.parametrize("shared", [False, True])
def test_learns_by_fit_and_is_evaluated(shared):
    model = make_model(
        shared_negatives=shared, candidates_from="classifier", num_candidates=12
    )
    before = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    history = model.fit(X, LABELS, epochs=40, verbose=0).history
    after = model.evaluate(INPUTS, LABELS, verbose=0, return_dict=True)
    assert history["loss"][-1] < history["loss"][0] / 2
    assert after["precision_at_1"] > before["precision_at_1"]
    assert set(after) == {"loss", "precision_at_1", "precision_at_3"}
    _, logits = all_logits(model)
    losses = [bce(logits[i, x], x in LABELS[i]) for i in range(10) for x in range(12)]
    assert after["loss"] == pytest.approx(sum(losses) / 10, rel=1e-3)


def test_one_file_is_the_whole_model(tmp_path):
    texts = ["red rose", "blue sea", "red sea"]
    vectorizer = WordVectorizer.fit(texts)
    keras.utils.set_random_seed(0)
    model = LightDXML(
        SparseTextEncoder(vectorizer.num_features, DIM),
        NUM_LABELS,
        vectorizer=vectorizer,
        lexical=LabelWords(NUM_LABELS, vectorizer.num_features, num_words=2),
        label_names=[f"label {i}" for i in range(NUM_LABELS)],
        num_predictions=4,
    )
    model.build({"token_ids": (None, None), "token_weights": (None, None)})
    model.refresh(RNG.normal(size=(NUM_LABELS, DIM)).astype("float32"))
    labels = RNG.random((len(texts), NUM_LABELS)) < 0.5
    model.lexical.refresh(vectorizer.transform(texts), labels)
    model.lexical.scale.assign(2.5)
    model.beta.assign(0.35)
    found = model.recommend(texts, k=3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.recommend(texts, k=3) == found
    assert [len(row) for row in found] == [3] * 3
    assert found[0][0][0].startswith("label ")
    assert float(again.beta) == pytest.approx(0.35)
    assert float(again.lexical.scale) == 2.5 and again.lexical.num_words == 2
    assert again.num_labels == NUM_LABELS and again.num_predictions == 4
    assert again.recommend([], k=1) == []
    assert len(again.recommend(["unknown words"], k=2)[0]) == 2
    for texts, k in (("text", 1), (["text"], 0), (["text"], 5)):
        with pytest.raises(ValueError, match="Expected.*Received"):
            again.recommend(texts, k)


def test_a_transformer_as_encoder(backbone, tmp_path):
    encoder = MultiLayerCLSEncoder(backbone, num_feature_layers=1)
    encoder.trainable = False
    model = LightDXML(encoder, NUM_LABELS, num_predictions=3)
    ids = RNG.integers(5, 40, (10, 6)).astype("int32")
    inputs = {
        "token_ids": ids,
        "padding_mask": ids > 0,
        "segment_ids": np.zeros_like(ids),
    }
    model.compile(RowwiseAdamW(0.05))
    x = {**inputs, "label_ids": LABELS, "shortlist": SHORTLIST}
    model.fit(x, LABELS, verbose=0)
    names = [v.name for v in model.trainable_variables]
    assert sorted(names) == ["label_bias", "label_weights"]
    model.refresh(RNG.normal(size=(NUM_LABELS, 4)).astype("float32"))
    found = model.predict(inputs, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again.predict(inputs, verbose=0)["predicted_ids"], found["predicted_ids"]
    )


def test_training_needs_labels_and_shortlists():
    with pytest.raises(ValueError, match="Expected `label_ids` and `shortlist`"):
        make_model()(INPUTS, training=True)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"candidates_from": "trees"}, "candidates_from=trees"),
        ({"beta": 1.5}, "beta=1.5"),
        ({"random_negatives": 3}, "random_negatives=3"),
        ({"label_names": ["a"]}, "1 names, 12 labels"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=f"Expected.*Received: .*{message}"):
        LightDXML(SparseTextEncoder(3), NUM_LABELS, **arguments)
