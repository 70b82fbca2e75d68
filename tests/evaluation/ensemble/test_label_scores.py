import numpy as np
import pytest

from tests.helpers import tiny_lightxml as tiny
from xmc_keras.evaluation.ensemble.member_scores import score_labels

FEATURES = np.random.default_rng(1).normal(size=(2, 4)).astype("float32")
LABEL_IDS = np.array([[3, -1, 9, 3], [0, 5, 2, -1]], "int32")


@pytest.mark.parametrize("ranker", [True, False])
def test_against_numpy(ranker):
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
    scores = score_labels(model, FEATURES, LABEL_IDS)
    np.testing.assert_allclose(scores, expected, rtol=1e-4)


def test_of_candidates_they_are_the_scores_of_the_model():
    model = tiny.make_model()
    outputs = model(tiny.INPUTS)
    scores = score_labels(model, model.encoder(tiny.INPUTS), outputs["predicted_ids"])
    np.testing.assert_allclose(scores, outputs["scores"], rtol=1e-4)
