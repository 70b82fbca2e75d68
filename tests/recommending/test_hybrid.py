"""A transformer and words, joined, against NumPy; and its file and its export."""

import keras
import numpy as np
import pytest

from tests.helpers import tiny_lightdxml
from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_lightxml import make_model
from xmc_keras.data.documents import Documents
from xmc_keras.data.inputs import build_inputs
from xmc_keras.evaluation.ensemble.member_scores import MemberScores
from xmc_keras.evaluation.explain import explain
from xmc_keras.evaluation.report.run_predictions import predict_documents
from xmc_keras.recommending.hybrid import Hybrid
from xmc_keras.serving.graph.float32_model import convert_to_float32
from xmc_keras.serving.graph.serving_module import ServingModule

NAMES = tiny_lightdxml.NAMES
TEXTS = ["sea sky", "a b sky sky air mud", "c", "mud sun sea sky", "air d e f"]
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 1.5, 0.25], "float32")


@pytest.fixture(scope="module")
def hybrid():
    return make_hybrid()


def make_hybrid():
    transformer = make_model(0, NAMES, [[0, 3, 5], [1, 4, 2]])
    words = tiny_lightdxml.make_with_linear(num_candidates=6)
    model = Hybrid(transformer, words)
    model.recommend(TEXTS, k=1)  # builds it
    model.label_weights.assign(WEIGHTS)
    return model


def all_scores(model):
    """Scores (texts, labels) in NumPy, from those of both members."""
    every = np.tile(np.arange(len(NAMES), dtype="int32"), (len(TEXTS), 1))
    logits = []
    for member in (model.transformer, model.words):
        found = MemberScores(member, build_inputs(member, TEXTS)).scores_of(every)
        logits.append(np.log(found) - np.log1p(-found))
    return 1 / (1 + np.exp(-(WEIGHTS * logits[0] + logits[1])))


def test_scores_against_numpy(hybrid):
    expected = all_scores(hybrid)
    batches = build_inputs(hybrid, TEXTS)
    outputs = hybrid.predict(batches.dataset(), verbose=0)
    ids, scores = (batches.restore(outputs[k]) for k in ("predicted_ids", "scores"))
    # Each member offers 4 or more of 6 labels.
    assert ids.shape == (5, hybrid.num_predictions) and hybrid.num_predictions >= 4
    for row, own, of_text in zip(ids, scores, expected):
        assert len(set(row)) == len(row)
        np.testing.assert_allclose(own, of_text[row], rtol=1e-4)
        assert row[0] == np.argmax(of_text)
        assert (np.diff(own) <= 0).all()
    found = hybrid.recommend(TEXTS, k=2)
    assert [[NAMES.index(name) for name, _ in row] for row in found] == [
        row[:2].tolist() for row in ids
    ]


def test_given_labels_against_numpy(hybrid):
    label_ids = np.array([[0, 5], [-1, 2], [4, 4], [3, -1], [1, 2]], "int32")
    member = MemberScores(hybrid, build_inputs(hybrid, TEXTS))
    rows = np.take_along_axis(all_scores(hybrid), np.maximum(label_ids, 0), axis=1)
    expected = np.where(label_ids < 0, 0, rows)
    np.testing.assert_allclose(member.scores_of(label_ids), expected, rtol=1e-4)
    documents, labels = np.array([1, 1, 4]), np.array([2, 0, 1])
    pairs = member.scores_of_pairs(documents, labels)
    np.testing.assert_allclose(pairs, all_scores(hybrid)[documents, labels], rtol=1e-4)


def test_a_file_keeps_everything(hybrid, tmp_path):
    hybrid.save(tmp_path / "hybrid.keras")
    again = keras.models.load_model(tmp_path / "hybrid.keras", compile=False)
    assert again.recommend(TEXTS, k=3) == hybrid.recommend(TEXTS, k=3)
    assert again.label_set.names == NAMES and again.system == "lightxml"


@pytest.mark.large
@pytest.mark.parametrize("table, dense", [("float32", "float32"), ("int8", "float16")])
def test_an_export_answers_as_recommend(hybrid, table, dense):
    module = ServingModule([hybrid], k=3, table_dtype=table, dense_dtype=dense)
    loose = {} if table == "float32" else {"rtol": 0.1, "atol": 0.05}
    answer = names_and_scores(ask(module, "serving_default", text=TEXTS))
    expected = hybrid.recommend(TEXTS, 3)
    if not loose:
        check_rows(answer, expected)
    scores = ask(module, "score", text=TEXTS, labels=[NAMES] * len(TEXTS))["scores"]
    np.testing.assert_allclose(scores, all_scores(hybrid), **(loose or {"rtol": 1e-4}))
    width = hybrid.encoder.compute_output_shape(
        {"token_ids": (1, 2), "padding_mask": (1, 2)}
    )[-1]
    assert ask(module, "embed", text=TEXTS)["embedding"].shape == (5, width)


@pytest.mark.large
def test_in_an_ensemble(hybrid):
    module = ServingModule([hybrid, hybrid.words], k=2)
    scores = ask(module, "score", text=TEXTS, labels=[NAMES] * len(TEXTS))["scores"]
    alone = ServingModule([hybrid.words], k=2)
    of_words = ask(alone, "score", text=TEXTS, labels=[NAMES] * len(TEXTS))["scores"]
    np.testing.assert_allclose(scores, (all_scores(hybrid) + of_words) / 2, rtol=1e-4)


def test_half_precision_becomes_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        half = make_hybrid()
    finally:
        keras.config.set_dtype_policy("float32")
    whole = convert_to_float32(half)
    assert whole is not half and convert_to_float32(whole) is whole
    assert whole.transformer.encoder.compute_dtype == "float32"
    np.testing.assert_array_equal(whole.label_weights, WEIGHTS)
    for ours, theirs in zip(whole.get_weights(), half.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_explanations_and_reports(hybrid):
    documents = Documents(TEXTS, [["p"], ["q"], ["p"], ["r"], ["p", "s"]])
    found = explain(hybrid, TEXTS[0], "p", documents)
    score = all_scores(hybrid)[0, 0]
    assert found.score == pytest.approx(score, rel=1e-4)
    parts = sum(part.logit for part in found.words) + found.rest
    assert parts == pytest.approx(found.logit, abs=1e-4)
    assert found.logit == pytest.approx(np.log(score / (1 - score)), abs=1e-3)
    assert "biases and transformer" in str(found)
    assert [part.word for part in found.words if part.word == "sea"]
    relevant = hybrid.label_set.encode(documents.labels)
    predictions = predict_documents(hybrid, documents, relevant)
    assert predictions.label_ids.shape == (5, hybrid.num_predictions)
