import keras
import numpy as np

from xmc_keras.metrics.candidate_recall import CandidateRecall


def test_against_sets():
    rng = np.random.default_rng(0)
    recall, expected = CandidateRecall(), []
    for batch_size in (1, 5, 3):
        label_ids = np.stack([rng.permutation(12)[:4] for _ in range(batch_size)])
        label_ids[np.arange(4) >= rng.integers(1, 5, (batch_size, 1))] = -1
        candidates = np.stack([rng.permutation(9)[:6] for _ in range(batch_size)])
        candidates[:, -1] = -1
        recall.update_state(label_ids, candidates)
        for row, offered in zip(label_ids, candidates):
            known = set(row) - {-1}
            expected.append(len(known & set(offered)) / len(known))
    np.testing.assert_allclose(recall.result(), np.mean(expected), rtol=1e-6)
    assert 0 < np.mean(expected) < 1


def test_document_without_labels_counts_as_missed():
    recall = CandidateRecall()
    recall.update_state([[-1, -1], [2, -1]], [[0, -1], [2, 1]])
    assert recall.result() == 0.5


def test_config_round_trip():
    recall = keras.metrics.deserialize(keras.metrics.serialize(CandidateRecall("r")))
    assert isinstance(recall, CandidateRecall) and recall.name == "r"
