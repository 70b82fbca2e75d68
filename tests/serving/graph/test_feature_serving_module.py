import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from tests.helpers.answers import (
    ask,
    check_rows,
    names_and_scores,
    signatures_of,
)
from tests.helpers.tiny_lightdxml import (
    NAMES,
    all_scores,
    inputs_of,
    make_lightdxml,
    make_with_words,
    of_words,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.graph.feature_serving_module import FeatureServingModule
from xmc_keras.serving.graph.module_class import choose_module_class
from xmc_keras.serving.graph.serving_module import ServingModule
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.version.documents_to_check import predict_names
from xmc_keras.serving.version.serving_ops import find_graph_problems

ROWS = scipy.sparse.csr_matrix(
    np.array([[0, 0.6, 0.8, 0, 0], [0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]], np.float32)
)


@pytest.fixture(scope="module")
def model():
    return make_lightdxml(vectorizer=False)


@pytest.fixture(scope="module")
def module(model):
    return FeatureServingModule([model], k=3)


def test_answers_as_the_model(model, module):
    inputs = module.inputs_of(ROWS)
    found = ask(module, "serving_default", **inputs)
    check_rows(names_and_scores(found), predict_names(model, ROWS, 3))
    rows = [[(1, 0.6), (2, 0.8)], [], [(0, 1.0)]]
    features = model.encoder(inputs_of(*rows)).numpy()
    np.testing.assert_allclose(
        ask(module, "embed", **inputs)["embedding"], features, atol=1e-5
    )
    scores, _ = all_scores(model, features)
    found = ask(module, "score", **inputs, labels=[[*NAMES, "x"]] * 3)["scores"]
    np.testing.assert_allclose(found[:, :6], scores, atol=1e-5)
    assert (found[:, 6] == -1).all()
    assert ask(module, "top_k", **inputs, k=[1, 2, 2])["labels"].shape == (3, 2)


@pytest.mark.parametrize("candidates_from", ["embeddings", "classifier"])
def test_words_of_labels(candidates_from):
    model = make_with_words(vectorizer=False, candidates_from=candidates_from)
    module = FeatureServingModule([model], k=3)
    inputs = module.inputs_of(ROWS)
    found = ask(module, "serving_default", **inputs)
    check_rows(names_and_scores(found), predict_names(model, ROWS, 3))
    # The weights of a word that is listed twice are summed.
    twice = {
        "indices": np.array([2, 1, 2], np.int32),
        "values": np.array([0.4, 0.6, 0.4], np.float32),
        "row_splits": np.array([0, 3]),
    }
    found = ask(module, "score", **twice, labels=[NAMES])["scores"]
    norm = np.sqrt(2 * 0.4**2 + 0.6**2)  # rows are divided by it
    listed = inputs_of([(1, 0.6 / norm), (2, 0.8 / norm)])
    features = model.encoder(listed).numpy()
    row = np.zeros((1, model.encoder.num_features))
    row[0, 1:3] = 0.6 / norm, 0.8 / norm
    expected, _ = all_scores(model, features, of_words(model, row))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rows_are_scaled(module):
    by_nine = ask(module, "serving_default", **module.inputs_of(ROWS * 9))
    plain = ask(module, "serving_default", **module.inputs_of(ROWS))
    np.testing.assert_allclose(by_nine["scores"], plain["scores"], atol=1e-6)


def test_saved_graph(model, module, tmp_path):
    tf.saved_model.save(module, str(tmp_path), signatures_of(module))
    assert find_graph_problems(tmp_path) == []
    served = ServedModel(tmp_path)
    assert set(served.signature("top_k").inputs) == {
        *("indices", "values", "row_splits", "k")
    }
    inputs = module.inputs_of(ROWS)
    check_rows(names_and_scores(served.predict(inputs)), predict_names(model, ROWS, 3))
    none = module.inputs_of(ROWS[:0])
    assert served.predict(none)["labels"].shape == (0, 3)
    for name, value, message in (
        ("indices", [1, 2, model.encoder.num_features], "Expected indices from 0 to"),
        ("indices", [1, 2, -1], "Expected indices from 0 to"),
        ("indices", [1, 2], "as many values as indices"),
        ("row_splits", [0, 2, 2, 4], "Expected row_splits"),
        ("row_splits", [1, 2, 2, 3], "Expected row_splits"),
        ("row_splits", [], "Expected row_splits"),
        ("row_splits", [0, 2, 1, 3], "Expected row_splits"),
        ("indices", [1, 2, 2**31 - 1], r"row\] \[2\] \[with index\] \[2147483647\]"),
    ):
        wrong = {**inputs, name: np.array(value, inputs[name].dtype)}
        with pytest.raises(ServingError, match=message):
            served.predict(wrong)
    with pytest.raises(ServingError, match="a row for each"):
        labels = np.array([[b"p"]], object)
        served.predict({**inputs, "labels": labels}, "score")
    served.close()


@pytest.fixture(scope="module")
def served(module, tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    tf.saved_model.save(module, str(path), signatures_of(module))
    served = ServedModel(path)
    yield served
    served.close()


@pytest.mark.parametrize("name", ["serving_default", "top_k", "score", "embed"])
@pytest.mark.parametrize(
    "values",
    [
        [np.nan, 1],
        [1, -np.nan],
        [np.inf, 1],
        [1, -np.inf],
        [np.inf, -np.inf],
        [1e38, 1],  # its square is infinite: the row would be empty
        [1.5e19, 1.5e19],  # the sum of squares is
        [2e-38, 0],  # its square is 0: the row would be empty, too
        [-1e-20, 1e-20],
    ],
)
def test_values_that_cannot_be_scaled_are_refused(served, module, name, values):
    inputs = {
        "indices": np.array([0, 1, 2, 3], np.int32),
        "values": np.array([0.5, 0.5, *values], np.float32),
        "row_splits": np.array([0, 1, 2, 4]),
    }
    more = {"top_k": {"k": np.int32(1)}, "score": {"labels": np.full((3, 1), b"p")}}
    with pytest.raises(
        ServingError, match=r"Scale the row.*\[2\]$|in row\] \[2\]"
    ) as e:
        served.predict({**inputs, **more.get(name, {})}, name)
    assert e.value.code == "INVALID_ARGUMENT"  # HTTP status 400


@pytest.mark.parametrize("scale", [1e-14, 1e-6, 1e6, 1e18])
def test_scalable_values_are_scaled(served, module, scale):
    expected = served.predict(module.inputs_of(ROWS))
    found = served.predict(module.inputs_of(ROWS * scale))
    np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-6)


def test_zeros_are_an_empty_document(served, module):
    zero = {
        "indices": np.array([1], np.int32),
        "values": np.zeros(1, np.float32),
        "row_splits": np.array([0, 1]),
    }
    expected = served.predict(module.inputs_of(ROWS[1:2]))["scores"]
    np.testing.assert_allclose(served.predict(zero)["scores"], expected, atol=1e-6)


@pytest.mark.parametrize("name", ["serving_default", "embed"])
def test_a_server_that_merges_requests_refuses_features(served, name):
    """Whatever it merges: it splits outputs by the rows of the inputs."""
    request = {  # as many indices as row_splits: else it is refused before
        "indices": np.array([0, 1, 2], np.int32),
        "values": np.ones(3, np.float32),
        "row_splits": np.array([0, 1, 3]),
    }
    for answer in served.predict(request, name).values():
        assert len(answer) != len(request["indices"])
    merged = {key: np.concatenate([value] * 2) for key, value in request.items()}
    with pytest.raises(ServingError, match="Expected row_splits"):
        served.predict(merged, name)


def test_which_class(model):
    texts = make_lightdxml()
    assert choose_module_class([texts, texts]) is ServingModule
    assert choose_module_class([model]) is FeatureServingModule
    with pytest.raises(BadInput, match="the same data. Received: some on texts and s"):
        choose_module_class([model, texts])
    other = make_lightdxml(vectorizer=False)
    other.encoder.num_features += 1
    with pytest.raises(BadInput, match=r"Received: runs with \d+ and \d+ features"):
        choose_module_class([model, other])
