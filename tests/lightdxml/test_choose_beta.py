import numpy as np
import scipy.sparse

from tests.lightdxml.test_lightdxml import INPUTS, LABELS, NUM_LABELS, make_model
from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.lightdxml.scores import choose_beta


def test_the_best_beta_is_found_and_set():
    model = make_model(candidates_from="classifier", num_candidates=12)
    real = INPUTS["token_ids"] >= 0
    features = scipy.sparse.lil_matrix((10, 20))
    relevant = scipy.sparse.lil_matrix((10, NUM_LABELS))
    for i in range(10):
        features[i, INPUTS["token_ids"][i][real[i]]] = INPUTS["token_weights"][i][
            real[i]
        ]
        relevant[i, LABELS[i][LABELS[i] >= 0]] = 1
    batches = SparseDocumentBatches(features.tocsr(), None, 4, shuffle=False)
    report = choose_beta(model, batches, relevant.tocsr(), (0.0, 0.25, 0.5, 1.0))
    sums = []
    for beta, found in report.items():
        model.beta.assign(beta)
        top = model.predict(INPUTS, verbose=0)["predicted_ids"]
        hits = np.array([np.isin(row, LABELS[i]) for i, row in enumerate(top)])
        expected = {f"P@{k}": 100 * hits[:, :k].mean() for k in (1, 3, 5)}
        np.testing.assert_allclose(list(found.values()), list(expected.values()))
        sums.append(sum(expected.values()))
    best = choose_beta(model, batches, relevant.tocsr(), tuple(report)) and model.beta
    largest = [beta for beta, s in zip(report, sums) if s == max(sums)]
    np.testing.assert_allclose(float(best), largest[-1])
