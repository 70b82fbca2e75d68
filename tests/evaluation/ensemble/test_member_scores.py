import numpy as np
import pytest

from tests.helpers.tiny_lightdxml import NAMES, all_scores, make_lightdxml, rows_of
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.evaluation.ensemble.member_scores import MemberScores
from xmc_keras.lightdxml.label_words import LabelWords

TEXTS = ["sea", "sky sky air mud", "sun", "mud sun sea sky", "air"]


def member_of(model, size=2):
    features = model.vectorizer.transform(TEXTS)
    return MemberScores(model, SparseDocumentBatches(features, None, size, False))


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_lightdxml_against_numpy(candidates_from):
    model = make_lightdxml(candidates_from=candidates_from)
    member = member_of(model)
    features = model.encoder(rows_of(model, TEXTS)).numpy()
    every, candidate = all_scores(model, features)
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
