"""The signature `select`, and calibrated scores, of all systems in a graph."""

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import tiny_lightdxml
from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_lightxml import make_model
from tests.recommending.test_hybrid import make_hybrid
from tests.serving.graph.test_one_vs_all_member import make_one_vs_all
from xmc_keras.recommending.calibration.calibration import Calibration
from xmc_keras.serving.graph.serving_module import ServingModule

NAMES = tiny_lightdxml.NAMES
TEXTS = ["sea sky", "a b sky sky air mud", "c", "mud sun sea sky", "", "air d e f"]
CLUSTERS = [[0, 3, 5], [1, 4, 2]]
MAKERS = {
    "lightxml": lambda: make_model(0, NAMES, CLUSTERS),
    "lightdxml": lambda: tiny_lightdxml.make_with_linear(num_candidates=6),
    "one_vs_all": make_one_vs_all,
    "hybrid": make_hybrid,
}


@pytest.fixture(scope="module", params=MAKERS)
def model(request):
    model = MAKERS[request.param]()
    model.recommend(TEXTS[:1], k=1)  # builds it
    number = len(model.label_set)
    coefficients = np.random.default_rng(0).uniform(0.3, 1.5, 4)
    model.calibration = Calibration(coefficients, np.arange(number) % 5)
    return model


def check_selected(answer, expected, width):
    assert answer["labels"].shape == answer["scores"].shape == (len(expected), width)
    check_rows(names_and_scores(answer), expected)
    assert answer["count"].tolist() == [len(row) for row in expected]
    for labels, count in zip(answer["labels"], answer["count"]):
        assert all(labels[:count]) and not any(labels[count:])


def test_calibrated_scores_and_selected_labels(model):
    most = model.num_predictions
    module = ServingModule([model], 2, threshold=0.3)
    width = module.most_labels
    expected = model.recommend(TEXTS, k=width)
    answer = ask(module, "top_k", text=TEXTS, k=width)
    check_rows(names_and_scores(answer), expected)
    names = [[name for name, _ in row] for row in expected]
    scores = ask(module, "score", text=TEXTS, labels=names)["scores"]
    np.testing.assert_allclose(scores, answer["scores"], atol=1e-5)
    halves = ServingModule([model], 2, "float16")
    scores = ask(halves, "score", text=TEXTS, labels=names)["scores"]
    np.testing.assert_allclose(scores, answer["scores"], atol=1e-2)

    def selected(*thresholds):
        return [
            [pair for pair in row if pair[1] >= threshold]
            for row, threshold in zip(expected, thresholds)
        ]

    middle = float(np.median(answer["scores"]))
    asked = [middle, 0.0, 1.0, -1.0, middle, 0.999]
    own = [middle, 0.0, 1.0, 0.3, middle, 0.999]
    ask_select = lambda threshold: ask(  # noqa: E731
        module, "select", text=TEXTS, threshold=np.float32(threshold)
    )
    check_selected(ask_select(asked), selected(*own), width)
    check_selected(ask_select(middle), selected(*6 * [middle]), width)
    check_selected(ask_select(-1.0), selected(*6 * [0.3]), width)
    check_selected(ask_select([]), selected(*6 * [0.3]), width)
    check_rows(
        model.recommend(TEXTS, threshold=middle),
        [
            [pair for pair in row if pair[1] >= np.float32(middle)]
            for row in model.recommend(TEXTS, k=most)
        ],
    )


def test_thresholds_by_label():
    """Labels below theirs may come between: the others move up."""
    model = make_model(0, NAMES, CLUSTERS)
    own = np.array([0.0, 1.0] * 3, "float32")
    module = ServingModule([model], 2, threshold=own)
    everything = model.recommend(TEXTS, k=module.most_labels)
    answer = ask(module, "select", text=TEXTS, threshold=np.float32([]))
    expected = [
        [(name, score) for name, score in row if NAMES.index(name) % 2 == 0]
        for row in everything
    ]
    assert any(row[0][0] != kept[0][0] for row, kept in zip(everything, expected))
    check_selected(answer, expected, module.most_labels)


def test_a_threshold_for_each_text():
    module = ServingModule([make_model(0, NAMES, CLUSTERS)], 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="a threshold for each"):
        ask(module, "select", text=TEXTS, threshold=np.float32([0.5, 0.5]))
    answer = ask(module, "select", text=np.array([], object), threshold=0.5)
    assert answer["labels"].shape == (0, module.most_labels)
    assert answer["count"].shape == (0,)
