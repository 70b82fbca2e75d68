import shutil

import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.load_version import WARMUP_FILE
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.version.check_export import _compare, check_export
from xmc_keras.serving.version.serving_ops import find_graph_problems
from xmc_keras.serving.version.warm_up import _request, write_warm_up

TEXTS = {"text": np.array([text.encode() for text in ("a", "bc", "Ü")], object)}


@pytest.fixture(scope="module")
def version(golden_version, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "1"
    shutil.copytree(golden_version, folder)
    write_warm_up([_request("serving_default", text=np.array(["a"], object))], folder)
    return folder


@pytest.fixture(scope="module")
def expected(version):
    served = ServedModel(version)
    answer = served.predict(TEXTS)
    served.close()
    return [
        [(label.decode(), float(score)) for label, score in zip(*row)]
        for row in zip(answer["labels"], answer["scores"])
    ]


@pytest.fixture(autouse=True)
def ops_of_the_golden_model(monkeypatch):
    monkeypatch.setattr(
        "xmc_keras.serving.version.check_export.find_graph_problems", lambda folder: []
    )


def test_the_same_answers(version, expected):
    assert check_export(version, TEXTS, expected, "float32") == 1.0


def test_other_scores(version, expected):
    off = [[(label, score + 2e-5) for label, score in row] for row in expected]
    with pytest.raises(BadInput, match="Scores differ by 2e-05, more than 1e-05"):
        check_export(version, TEXTS, off, "float32")
    not_a_number = [[(label, float("nan")) for label, _ in row] for row in expected]
    with pytest.raises(BadInput, match="Scores differ by nan"):
        check_export(version, TEXTS, not_a_number, "float32")


def test_other_labels_with_the_same_scores(version, expected):
    swapped = [
        [(b, score), (a, other), *rest] for (a, score), (b, other), *rest in expected
    ]
    with pytest.raises(BadInput, match="It gives label 'L[0-9]' a score"):
        check_export(version, TEXTS, swapped, "float32")


def test_a_graph_that_servers_refuse(version, expected, monkeypatch):
    monkeypatch.setattr(
        "xmc_keras.serving.version.check_export.find_graph_problems",
        lambda folder: ["Op X is not."],
    )
    with pytest.raises(BadInput, match="nothing was exported. Op X is not."):
        check_export(version, TEXTS, expected, "float32")


def test_other_labels(version, expected):
    other = [[("another", row[0][1]), *row[1:]] for row in expected]
    with pytest.raises(BadInput, match=r"agree on 0.0% of the texts, less than 98.0%"):
        check_export(version, TEXTS, other, "int8")
    one_of_three = [expected[0], expected[1], other[2]]
    with pytest.raises(BadInput, match=r"agree on 66.7% of the texts, less than 99.5%"):
        check_export(version, TEXTS, one_of_three, "float16")


@pytest.mark.parametrize(
    ("precision", "texts", "allowed"),
    # Three standard deviations above 0.5 % or 2 % of the texts, computed by hand.
    [("float16", 60, 1), ("float16", 1000, 11), ("int8", 60, 4), ("int8", 1000, 33)],
)
def test_few_texts_may_differ_by_chance(precision, texts, allowed):
    expected = [[("a", 0.9), ("b", 0.5)]] * texts
    for differing in (allowed, allowed + 1):
        labels = np.array([[b"a", b"c"]] * differing + [[b"a", b"b"]] * texts)[:texts]
        answer = {"labels": labels, "scores": np.zeros((texts, 2))}
        if differing == allowed:
            agreement = _compare(answer, expected, precision)
            assert agreement == pytest.approx(1 - allowed / texts)
        else:
            with pytest.raises(BadInput, match="labels agree on"):
                _compare(answer, expected, precision)


def test_no_warm_up(golden_version, expected):
    with pytest.raises(BadInput, match="There are no warm-up requests"):
        check_export(golden_version, TEXTS, expected, "float32")


def test_warm_up_that_fails(golden_version, expected, tmp_path):
    shutil.copytree(golden_version, tmp_path / "1")
    write_warm_up([_request("no_such", text=np.array(["a"], object))], tmp_path / "1")
    with pytest.raises(BadInput, match='It does not load: .*"no_such" not found'):
        check_export(tmp_path / "1", TEXTS, expected, "float32")


def test_weights_in_the_graph(version, expected, monkeypatch):
    monkeypatch.setattr("xmc_keras.serving.version.check_export.MOST_GRAPH_BYTES", 100)
    with pytest.raises(BadInput, match="it contains weights"):
        check_export(version, TEXTS, expected, "float32")


def write(folder, function):
    module = tf.Module()
    module.function = tf.function(
        function, input_signature=[tf.TensorSpec([None], tf.float32, "x")]
    )
    tf.saved_model.save(module, str(folder), {"serving_default": module.function})


def test_ops_that_servers_know(tmp_path):
    write(tmp_path / "1", lambda x: {"y": tf.sigmoid(x) * 2.0})
    assert find_graph_problems(tmp_path / "1") == []


def test_op_that_servers_may_lack(tmp_path):
    def inner(x):  # also found in nested functions
        return tf.math.lgamma(x)

    write(tmp_path / "1", lambda x: {"y": tf.function(inner)(x)})
    (problem,) = find_graph_problems(tmp_path / "1")
    assert problem.startswith("Op Lgamma is not known to be in TensorFlow Serving")


def test_compiled_function(tmp_path):
    compiled = tf.function(lambda x: x * 2.0, jit_compile=True)
    write(tmp_path / "1", lambda x: {"y": compiled(x)})
    (problem,) = find_graph_problems(tmp_path / "1")
    assert problem.startswith("A function is compiled with XLA")


def test_warm_up_is_where_servers_look(version):
    assert (version / "assets.extra" / "tf_serving_warmup_requests").exists()
    assert WARMUP_FILE == "assets.extra/tf_serving_warmup_requests"
