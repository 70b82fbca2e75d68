import tempfile

import numpy as np
import pytest

from tests.helpers import tiny_lightxml as tiny
from tests.helpers.full_disk import small_disk
from tests.helpers.tiny_lightdxml import (
    NAMES,
    all_scores,
    make_lightdxml,
    make_with_linear,
    make_with_words,
    rows_of,
    scores_with_linear,
)
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.evaluation.ensemble.member_scores import MemberScores
from xmc_keras.files.disk_error import DiskError
from xmc_keras.lightdxml.label_words import LabelWords
from xmc_keras.lightdxml.lightdxml import LightDXML

FEATURES = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")
LABEL_IDS = np.array([[3, -1, 9, 3], [0, 5, 2, -1]], "int32")


@pytest.mark.parametrize("ranker", [True, False])
def test_label_scores_against_numpy(ranker):
    model = tiny.make_model(ranker=ranker)
    model(tiny.INPUTS)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    generator = model.generator
    logits = FEATURES @ generator.kernel.numpy() + generator.bias.numpy()
    expected = np.zeros(LABEL_IDS.shape)
    for i, j in zip(*np.nonzero(LABEL_IDS >= 0)):
        label = LABEL_IDS[i, j]
        (cluster,) = [c for c, row in enumerate(tiny.CLUSTERS) if label in row]
        expected[i, j] = sigmoid(logits[i, cluster])
        if ranker:
            kernel, bias = model.ranker.bottleneck.get_weights()
            hidden = sigmoid(FEATURES[i] @ kernel + bias)
            order = tiny.CLUSTERS.ravel().tolist()
            row = model.ranker.label_embeddings.numpy()[order.index(label)]
            expected[i, j] *= sigmoid(row @ hidden + np.log(0.01 / 0.99))
    scores = model.score_labels(LABEL_IDS, FEATURES)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_label_scores_of_candidates_are_the_scores_of_the_model():
    model = tiny.make_model()
    outputs = model(tiny.INPUTS)
    scores = model.score_labels(outputs["predicted_ids"], *model.encode(tiny.INPUTS))
    np.testing.assert_allclose(scores, outputs["scores"], rtol=1e-4)


TEXTS = ["sea", "sky sky air mud", "sun", "mud sun sea sky", "air"]


def member_of(model, size=2):
    features = model.vectorizer.transform(TEXTS)
    return MemberScores(model, SparseDocumentBatches(features, None, size, False))


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_lightdxml_against_numpy(candidates_from):
    model = make_lightdxml(candidates_from=candidates_from)
    features = model.encoder(rows_of(model, TEXTS)).numpy()
    check_scores(model, *all_scores(model, features))


def check_scores(model, every, candidate):
    """Compares answers and scores of labels with those in NumPy."""
    member = member_of(model)
    # Labels of each document in a different order, with a pad.
    labels = np.stack([np.random.default_rng(i).permutation(6) for i in range(5)])
    labels[:, 2] = -1
    expected = np.take_along_axis(every, np.maximum(labels, 0), axis=1)
    expected[:, 2] = 0
    np.testing.assert_allclose(member.scores_of(labels), expected, atol=1e-5)
    ranked = np.argsort(-np.where(candidate, every, -1), axis=1)[:, :4]
    np.testing.assert_array_equal(member.label_ids, ranked)


def test_lightdxml_with_words_of_labels():
    words = make_lightdxml().vectorizer
    lexical = LabelWords(len(NAMES), words.num_features)
    lexical.build()
    lexical.refresh(words.transform(TEXTS), np.eye(5, 6, dtype="float32"))
    plain, model = make_lightdxml(), make_lightdxml(lexical=lexical)
    found = model(rows_of(model, TEXTS))
    assert np.abs(found["scores"] - plain(rows_of(plain, TEXTS))["scores"]).max() > 0.1
    member = member_of(model)
    np.testing.assert_array_equal(member.label_ids, found["predicted_ids"])
    np.testing.assert_allclose(member.scores, found["scores"], atol=1e-5)
    scores = member.scores_of(member.label_ids)
    np.testing.assert_allclose(scores, found["scores"], atol=1e-5)


@pytest.mark.parametrize("make", [make_lightdxml, make_with_words])
def test_lightdxml_with_a_linear_member(make):
    model = make_with_linear(make)
    check_scores(model, *scores_with_linear(model, TEXTS))


def test_no_space_for_the_features(tmp_path, monkeypatch):
    """A write to a mapped file on a full disk would end the process."""
    model = LightDXML(SparseTextEncoder(3, dim=2000), num_labels=5, num_predictions=2)
    batches = SparseDocumentBatches(np.eye(3), None, 2, shuffle=False)
    with small_disk(tmp_path / "disk", 12) as disk:
        monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
        with pytest.raises(DiskError, match=f"{disk.path}: .* No space left on device"):
            MemberScores(model, batches)
        disk.resize(40)
        assert MemberScores(model, batches).label_ids.shape == (3, 2)
