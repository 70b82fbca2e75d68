"""The linear model that is joined to a LightDXML, on real documents."""

import lzma

import keras
import numpy as np
import pytest
import scipy.sparse
from scipy.special import expit

from tests.helpers.fit_runs import METRICS, Killed
from tests.helpers.project import PROJECT
from xmc_keras import Config, Documents, FeatureDocuments, RunFolder, evaluate, fit
from xmc_keras.data.inputs import build_inputs
from xmc_keras.data.splits import split_documents
from xmc_keras.evaluation.evaluate_run import evaluate_run
from xmc_keras.one_vs_all.fit_one_vs_all import fit_one_vs_all
from xmc_keras.training.loops.join_linear import PRIOR, join_linear
from xmc_keras.training.phase_seconds import PhaseSeconds

KEYS = {"system": "lightdxml", "encoder": "words", "embedding_dim": 12}
KEYS |= {"label_words": 8, "epochs": 2, "refresh": 2, "proxy_epochs": 0}
KEYS |= {"batch_size": 16, "num_neighbors": 9, "residual": False, "warmup": 0}
KEYS |= {"learning_rate": 0.01, "validation_documents": 30, "num_predictions": 20}
CONFIG = Config(**KEYS, linear=True, linear_c=1.0)
PLAIN = Config(**KEYS)
LEAST_CHANGES = "xmc_keras.training.loops.join_linear.LEAST_CHANGES"
FEW_PAIRS = "xmc_keras.training.loops.join_linear.FEW_PAIRS"


@pytest.fixture(scope="module")
def parts():
    """Training and test documents of Debian-24K, with their most frequent labels."""
    found = []
    for part, count in (("train", 200), ("test", 50)):
        texts, labels = [
            [line for _, line in zip(range(count), lzma.open(path, "rt"))]
            for path in (
                PROJECT / f"data/debian24k/{part}_{name}.txt.xz"
                for name in ("texts", "labels")
            )
        ]
        found.append((texts, [line.split() for line in labels]))
    names, counts = np.unique(np.concatenate(found[0][1]), return_counts=True)
    kept = set(names[np.argsort(-counts, kind="stable")[:60]])
    return [
        Documents(texts, [[name for name in row if name in kept] for row in rows])
        for texts, rows in found
    ]


@pytest.fixture(scope="module")
def plain(parts):
    """A trained model without linear, its rows and labels: to train on, held back."""
    train, test = parts
    model = fit(PLAIN, train, test=test, progress=False).model
    rows = model.vectorizer.transform(train.texts)
    labels = model.label_set.encode(train.labels)
    split = split_documents(PLAIN, len(train))
    return model, [(rows[part], labels[part], None) for part in split]


def members_of(model, rows, words, linear):
    """Logits (documents, labels) of classifier, words and linear model, in NumPy."""
    dense = rows.toarray().astype("float64")
    features = np.maximum(dense @ model.encoder.token_embeddings.numpy(), 0)
    table, bias = model.classifier.get_weights()
    gains = model.lexical.gains.numpy()[:, 0] * model.lexical.scale.numpy()
    return [
        features @ table.T + bias,
        (dense * gains) @ words.toarray().T,
        dense @ linear[0].toarray().T + linear[1],
    ]


def words_of(rows, labels, num_words):
    """The heaviest words of the sum of each label's rows, of norm 1 before that."""
    sums = (labels.T.astype("float64") @ rows).toarray()
    kept = np.zeros_like(sums)
    for label, row in enumerate(sums):
        best = np.argsort(-row, kind="stable")[:num_words]
        kept[label, best] = row[best]
    return scipy.sparse.csr_matrix(
        kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
    )


def joined_logits(members, weights, labels):
    """The sum of the members by the weights of each label's band."""
    counts = np.asarray(labels.sum(axis=0)).ravel()
    bands = [sum(count >= first for first in (2, 5, 20, 100)) for count in counts]
    own = np.array(weights)[bands]  # (labels, 4)
    return sum(own[:, i] * member for i, member in enumerate(members)) + own[:, 3]


def predict(model, documents):
    batches = build_inputs(model, documents)
    outputs = model.predict(batches.dataset(), verbose=0)
    return {
        name: batches.restore(outputs[name]) for name in ("predicted_ids", "scores")
    }


@pytest.mark.parametrize("refit", [False, True])
def test_scores_are_those_of_the_sum_of_members(
    plain, parts, refit, tmp_path, monkeypatch
):
    # Of all weights: which are left out is tested below.
    monkeypatch.setattr(LEAST_CHANGES, (0.0,))
    model, (train, validation) = plain
    words = model.lexical.get_weights()
    joined, found, ranking = join_linear(
        CONFIG, model, train, validation, refit, PhaseSeconds()
    )
    assert found["learnt_validation"] is refit and found["linear_c"] == 1
    rows, labels, _ = train
    if refit:
        pairs = zip(train[:2], validation[:2])
        rows, labels = map(scipy.sparse.vstack, pairs)
    sums = words_of(rows, labels, 8)
    linear = fit_one_vs_all(rows, labels, None, 1.0)  # documents are few
    model.lexical.set_weights(words)  # for the next test
    texts = parts[1].texts
    asked = model.vectorizer.transform(texts)
    members = members_of(model, asked, sums, linear)
    expected = joined_logits(members, found["member_weights"], labels)

    assert joined.lexical is None and joined.candidates_from == "classifier"
    path = tmp_path / "joined.keras"
    joined.save(path)
    for shown in (joined, keras.models.load_model(path)):
        outputs = predict(shown, texts)
        order = np.argsort(-expected, axis=1)[:, :20]
        best = np.take_along_axis(expit(expected), order, axis=1)
        np.testing.assert_allclose(outputs["scores"], best, atol=2e-4)
        ours = np.take_along_axis(expit(expected), outputs["predicted_ids"], axis=1)
        np.testing.assert_allclose(outputs["scores"], ours, atol=2e-4)
        names = shown.label_set.names
        for row, ids, scores in zip(shown.recommend(texts, 3), order, best):
            assert [score for _, score in row] == pytest.approx(scores[:3], abs=2e-4)
            assert {name for name, _ in row} <= {names[i] for i in ids[:5]}
    if not refit:  # the precisions that the weights were chosen by
        top = predict(joined, validation[0])["predicted_ids"]
        relevant = validation[1].toarray()
        for k in (1, 3, 5):
            hits = np.take_along_axis(relevant, top[:, :k], axis=1).mean()
            assert found["validation"][f"P@{k}"] == pytest.approx(100 * hits, abs=0.01)


def test_few_documents_and_labels_have_a_larger_c(plain, monkeypatch):
    model, (train, validation) = plain
    config = Config(**KEYS, linear=True)
    found = []
    for pairs in (train[1].shape[0] * train[1].shape[1] + change for change in (0, -1)):
        monkeypatch.setattr(FEW_PAIRS, pairs)
        joined, metrics, _ = join_linear(
            config, model, train, validation, False, PhaseSeconds()
        )
        found.append((metrics["linear_c"], joined.linear.num_weights))
        # Weights are those of the model, and not zeros of what has none.
        assert (joined.linear.label_weights.numpy() != 0).all()
    (four, more), (half, few) = found
    assert (half, four) == (0.5, 4) and few < 0.9 * more


@pytest.mark.large
def test_a_run_learns_from_its_validation_documents(parts, tmp_path):
    train, test = parts
    split = split_documents(CONFIG, len(train))
    texts = list(train.texts)
    for i in split[1]:
        texts[i] = f"{texts[i]} zyzzyva"  # a word of validation documents alone
    train = Documents(texts, train.labels)
    result = fit(CONFIG, train, test=test, run=tmp_path / "run", progress=False)
    metrics, model = result.metrics, result.model
    assert metrics["learnt_validation"] is True and metrics["train_documents"] == 170
    assert model.vectorizer.transform(["zyzzyva"]).nnz == 1
    assert "beta" not in metrics and float(model.beta) == 1
    assert {"linear model", "member weights"} <= set(metrics["phase_seconds"])
    again = evaluate(model, test, train=train, config=CONFIG)
    run = RunFolder(tmp_path / "run")
    for name in METRICS:
        assert again[name] == pytest.approx(metrics[name], abs=1e-6)
    assert run.config() == CONFIG
    loaded = run.load_model()
    assert loaded.recommend(test.texts, 5) == model.recommend(test.texts, 5)
    of_run = evaluate_run(run, test)
    assert of_run["P@5"] == pytest.approx(metrics["P@5"], abs=1e-6)

    # Those that are given are never learnt from.
    rest, held_out = map(train.subset, split)
    result = fit(CONFIG, rest, validation=held_out, test=test, progress=False)
    assert result.metrics["learnt_validation"] is False
    assert result.model.vectorizer.transform(["zyzzyva"]).nnz == 0


def test_validation_that_knows_no_label():
    """One document a label: validation says nothing, and the weights are the usual."""
    texts = [f"word{i}a word{i}b common" for i in range(12)]
    train = Documents(texts, [[f"label{i}"] for i in range(12)])
    config = Config(**KEYS | {"validation_documents": 3}, linear=True)
    result = fit(config, train, test=train, progress=False)
    assert result.metrics["member_weights"] == [list(PRIOR)] * 5
    assert result.metrics["learnt_validation"] is True
    assert result.metrics["P@1"] == 100


def test_documents_of_features(parts, plain):
    vectorizer = plain[0].vectorizer
    given = [
        FeatureDocuments(rows, part.labels, [None] * len(part), "x.txt", "y.txt")
        for rows, part in ((vectorizer.transform(part.texts), part) for part in parts)
    ]
    result = fit(CONFIG, given[0], test=given[1], progress=False)
    assert result.model.vectorizer is None and result.model.linear is not None
    assert result.metrics["learnt_validation"] is True
    popular = result.metrics["baselines"]["most popular labels"]
    assert result.metrics["P@5"] > popular["P@5"]


@pytest.mark.large
@pytest.mark.parametrize(
    "place",
    [
        "xmc_keras.training.loops.join_linear.fit_one_vs_all",
        "xmc_keras.training.loops.join_linear.fit_band_weights",
        "xmc_keras.training.loops.join_linear._build",
        "xmc_keras.evaluation.evaluate.evaluate_checked",
    ],
)
def test_interrupted_and_resumed(parts, place, tmp_path, monkeypatch):
    train, test = parts
    straight = fit(CONFIG, train, test=test, run=tmp_path / "straight", progress=False)

    def die(*arguments, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, die)
        with pytest.raises(Killed):
            fit(CONFIG, train, test=test, run=tmp_path / "run", progress=False)
    arguments = {"test": test, "run": tmp_path / "run", "resume": True}
    result = fit(CONFIG, train, **arguments, progress=False)
    for key in (*METRICS, "linear_c", "validation", "best_epoch"):
        assert result.metrics[key] == pytest.approx(straight.metrics[key], abs=1e-3)
    weights = [found.metrics["member_weights"] for found in (straight, result)]
    np.testing.assert_allclose(*weights, atol=1e-3)
    files = [
        sorted(path.name for path in (tmp_path / name).iterdir())
        for name in ("straight", "run")
    ]
    assert files[0] == files[1]


def test_small_weights_are_left_out(plain, monkeypatch):
    """As many as validation allows."""
    model, (train, validation) = plain
    words = model.lexical.get_weights()

    def join(*changes):
        monkeypatch.setattr(LEAST_CHANGES, changes)
        joined, found, ranking = join_linear(
            CONFIG, model, train, validation, False, PhaseSeconds()
        )
        model.lexical.set_weights(words)
        starts, label_ids, weights = (part.numpy() for part in joined.linear.postings)
        rows = (weights, label_ids, starts)
        shape = train[0].shape[1], joined.num_labels
        return scipy.sparse.csr_matrix(rows, shape), found  # (features, labels)

    whole, found = join(0.0)
    assert found["least_change"] == 0
    features = train[0].tocsc()
    means = features.sum(axis=0) / np.maximum(np.diff(features.indptr), 1)
    with monkeypatch.context() as patch:
        patch.setattr("xmc_keras.training.loops.join_linear.LOSS", 300)
        pruned, found = join(0.2)
    assert found["least_change"] == 0.2
    kept = whole.multiply(abs(whole).multiply(means.reshape(-1, 1)) >= 0.2)
    assert 0 < pruned.nnz < whole.nnz
    np.testing.assert_allclose(pruned.toarray(), kept.toarray(), 1e-5, 1e-6)
    # Without any weight the model is worse, so the next threshold is taken.
    assert join(99.0, 0.0)[1]["least_change"] == 0
