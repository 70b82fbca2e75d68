import itertools
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tests.helpers.answers import check_equal
from tests.helpers.made_run import make_run
from tests.helpers.project import PROJECT
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.export import unoptimized_graphs
from xmc_keras.serving.server.load_version import WARMUP_FILE, load_version
from xmc_keras.serving.server.served_model import ServedModel

TEXTS = ["word3a word3b word7c", "", "word1a\0word1b", "Ünbekannt 😀", "word0c " * 900]

SIGNATURES = {"serving_default", "top_k", "select", "score", "embed"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory, tiny_run):
    """Base folder with version 1, made by the program as a user runs it."""
    folder = tmp_path_factory.mktemp("exports") / "tiny"
    process = run_program(tiny_run.folder, folder)
    assert process.returncode == 0, process.stderr.decode()
    return folder


def run_program(*arguments):
    command = [sys.executable, "export/saved_model.py", *map(str, arguments)]
    root = PROJECT
    environment = {**os.environ, "PYTHONPATH": root}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True)


def test_version_answers_as_recommend(exported, tiny_run):
    served = ServedModel(exported / "1")
    assert set(served.signatures) == SIGNATURES
    texts = np.array([text.encode() for text in TEXTS], object)
    model = RunFolder(tiny_run.folder).load_model()
    check_equal(served.predict({"text": texts}), model.recommend(TEXTS, 5))
    top_3 = served.predict({"text": texts, "k": np.int32(3)}, "top_k")
    check_equal(top_3, model.recommend(TEXTS, 3))
    best = model.recommend(TEXTS, 1)
    labels = np.array([[row[0][0].encode(), b"no label"] for row in best], object)
    scores = served.predict({"text": texts, "labels": labels}, "score")["scores"]
    expected = [[row[0][1], -1] for row in best]
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    embedding = served.predict({"text": texts}, "embed")["embedding"]
    assert embedding.shape == (5, model.encoder.feature_dim)
    served.close()


def test_texts_of_every_kind(exported, tiny_run):
    """Invalid UTF-8 counts as U+FFFD; length and number do not matter."""
    odd = [b"\xff\xfe word3a", b"\xed\xa0\x80", b"word1a \xc3", "é".encode() * 2**19]
    texts = np.array([*odd, *[b"word5b"] * 9_995, b"word3a word3b"], object)
    served = ServedModel(exported / "1")
    answer = served.predict({"text": texts})
    served.close()
    model = RunFolder(tiny_run.folder).load_model()
    decoded = [text.decode("utf-8", "replace") for text in texts]
    for rows in (slice(0, 4), slice(-4, None)):
        part = {name: value[rows] for name, value in answer.items()}
        check_equal(part, model.recommend(decoded[rows], 5))


@pytest.mark.large
def test_a_session_needs_nothing_of_ours(exported):
    """TensorFlow itself imports Keras; the layers and their libraries stay out."""
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from xmc_keras.serving.server.served_model import ServedModel\n"
        "served = ServedModel(sys.argv[1])\n"
        "text = np.array([b'word3a'], object)\n"
        "print(served.predict({'text': text})['scores'].shape)\n"
        "print({'keras_nlp', 'xmc_keras.lightxml.lightxml'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, exported / "1"]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert process.stdout == "(1, 5)\nset()\n", process.stderr


def test_no_function_asks_for_its_graph_to_be_rewritten(exported):
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((exported / "1/saved_model.pb").read_bytes())
    graph = saved_model.meta_graphs[0].graph_def
    nodes = [graph.node, *(function.node_def for function in graph.library.function)]
    options = [
        config_pb2.ConfigProto.FromString(node.attr["config_proto"].s)
        for node in itertools.chain(*nodes)
        if "config_proto" in node.attr
    ]
    assert len(options) > 4
    for each in options:
        assert each.graph_options.rewrite_options.disable_meta_optimizer


def test_graphs_are_rewritten_again_after_an_export():
    optimizer = tf.config.optimizer
    with pytest.raises(ValueError), unoptimized_graphs():
        assert optimizer.get_experimental_options()["disable_meta_optimizer"]
        raise ValueError
    assert not optimizer.get_experimental_options().get("disable_meta_optimizer")


def test_signature_shapes(exported):
    served = ServedModel(exported / "1")
    shapes = {
        name: {
            **{key: shape(info) for key, info in signature.inputs.items()},
            **{key: shape(info) for key, info in signature.outputs.items()},
        }
        for name, signature in served.signatures.items()
    }
    many = {"text": np.array([b"a"], object), "k": np.int32(10**6)}
    most = served.predict(many, "top_k")["labels"].shape[1]
    served.close()
    text = ("DT_STRING", [-1])
    assert shapes == {
        "serving_default": {
            "text": text,
            "labels": ("DT_STRING", [-1, 5]),
            "scores": ("DT_FLOAT", [-1, 5]),
        },
        "top_k": {
            "text": text,
            "k": ("DT_INT32", None),
            "labels": ("DT_STRING", [-1, -1]),
            "scores": ("DT_FLOAT", [-1, -1]),
        },
        "select": {
            "text": text,
            "threshold": ("DT_FLOAT", None),
            "labels": ("DT_STRING", [-1, most]),
            "scores": ("DT_FLOAT", [-1, most]),
            "count": ("DT_INT32", [-1]),
        },
        "score": {
            "text": text,
            "labels": ("DT_STRING", None),
            "scores": ("DT_FLOAT", None),
        },
        "embed": {"text": text, "embedding": ("DT_FLOAT", [-1, 64])},
    }


def shape(info):
    dims = [dim.size for dim in info.tensor_shape.dim]
    dtype = tf.dtypes.as_dtype(info.dtype).as_datatype_enum
    name = next(n for n in ("DT_STRING", "DT_FLOAT", "DT_INT32") if dtype == DTYPES[n])
    return name, None if info.tensor_shape.unknown_rank else dims


DTYPES = {
    "DT_STRING": tf.string.as_datatype_enum,
    "DT_FLOAT": tf.float32.as_datatype_enum,
    "DT_INT32": tf.int32.as_datatype_enum,
}


def test_files_next_to_the_graph(exported, tiny_run):
    extra = exported / "1" / "assets.extra"
    run = RunFolder(tiny_run.folder)
    assert (extra / "labels.txt").read_bytes() == run.label_names_path.read_bytes()
    card = (extra / "model_card.md").read_text("utf-8")
    metrics = json.loads(run.metrics_path.read_text())
    assert f"| {metrics['P@1']:.2f} | {metrics['P@3']:.2f} |" in card
    assert f"tensorflow {tf.__version__}" in card and "max_leaf: 5" in card
    records = tf.data.TFRecordDataset(str(exported / "1" / WARMUP_FILE))
    asked = [
        prediction_log_pb2.PredictionLog.FromString(r.numpy()).predict_log.request
        for r in records
    ]
    names = {request.model_spec.signature_name for request in asked}
    assert names == SIGNATURES
    # Batching servers take no input without a batch dimension.
    inputs = [tensor for request in asked for tensor in request.inputs.values()]
    assert all(len(tensor.tensor_shape.dim) > 0 for tensor in inputs)
    # Weights and names are variables, the graph is small.
    assert (exported / "1" / "saved_model.pb").stat().st_size < 5e6
    assert os.listdir(exported) == ["1"]


@pytest.mark.large
def test_options(exported, tiny_run, call):
    again = call(
        *("export", tiny_run.folder, exported, "--k", 2, "--version", 7),
        *("--precision", "float16", "--encoder-precision", "float16"),
    )
    assert again.status == 0, again.stderr
    assert sorted(os.listdir(exported)) == ["1", "7"]
    served = ServedModel(exported / "7")
    texts = np.array([b"word3a word3b"], object)
    assert served.predict({"text": texts})["labels"].shape == (1, 2)
    served.close()
    card = (exported / "7" / "assets.extra" / "model_card.md").read_text("utf-8")
    assert "label tables float16, other weights float16" in card
    sizes = [
        sum(path.stat().st_size for path in (exported / v / "variables").iterdir())
        for v in ("1", "7")
    ]
    assert sizes[1] < 0.7 * sizes[0]
    shutil.rmtree(exported / "7")


@pytest.mark.large
def test_ensemble_of_a_run_with_itself(exported, tiny_run, call, tmp_path):
    base = tmp_path / "ensemble"
    ended = call("export", tiny_run.folder, tiny_run.folder, base)
    assert ended.status == 0, ended.stderr
    served = ServedModel(base / "1")
    texts = np.array([text.encode() for text in TEXTS], object)
    model = RunFolder(tiny_run.folder).load_model()
    check_equal(served.predict({"text": texts}), model.recommend(TEXTS, 5))
    served.close()


@pytest.mark.large
def test_runs_without_the_test_part(tiny_run, call, tmp_path, caplog):
    """The data may be gone; then label names are the texts to compare on."""
    run = tmp_path / "run"
    shutil.copytree(tiny_run.folder, run)
    config = (run / "config.yaml").read_text()
    data = next(line for line in config.splitlines() if line.startswith("data: "))
    (run / "config.yaml").write_text(config.replace(data, "data: no/such/folder"))
    ended = call("export", run, tmp_path / "out", tensorflow=False)
    assert ended.status == 2 and "remove its line from digests.json" in ended.stderr
    lines = (run / "digests.json").read_text().splitlines(keepends=True)
    kept = [line for line in lines if "config.yaml" not in line]
    (run / "digests.json").write_text("".join(kept))
    ended = call("export", run, tmp_path / "out")
    assert ended.status == 0, ended.stderr
    assert "Checking with label names as texts" in caplog.text
    assert os.listdir(tmp_path / "out") == ["1"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["{run}", "{out}", "--k", "0"], "Expected k between 1 and 10"),
        (["{run}", "{out}", "--k", "11"], "Expected k between 1 and 10"),
        (["no/run", "{out}"], "no/run: Expected a run folder"),
        (["{unfinished}", "{out}"], "Expected a finished run"),
        (["{run}", "{exported}", "--version", "1"], "a version that does not exist"),
        (["{run}", "{out}", "--version", "-2"], "Expected a positive version"),
        (["{run}", "{run}/config.yaml"], "config.yaml: Expected a folder for versions"),
        (
            ["{run}", "{run}/config.yaml/x"],
            "Expected a place for a version. Received: Not a directory",
        ),
    ],
)
def test_bad_input(call, tiny_run, exported, tmp_path, arguments, message):
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    shutil.copy(tiny_run.folder / "config.yaml", unfinished)
    out = tmp_path / "out"
    places = {
        "run": tiny_run.folder,
        "out": out,
        "exported": exported,
        "unfinished": unfinished,
    }
    arguments = [argument.format(**places) for argument in arguments]
    ended = call("export", *arguments, tensorflow=False)
    assert (ended.status, ended.stdout) == (2, "")
    assert message in ended.stderr and ended.stderr.count("\n") == 1
    assert not out.exists() and os.listdir(exported) == ["1"]


@pytest.mark.large
def test_another_model_of_the_run(call, tiny_run, tmp_path):
    arguments = ("--model", "averaged")
    ended = call("export", tiny_run.folder, tmp_path / "out", *arguments)
    assert ended.status == 0, ended.stderr
    card = tmp_path / "out" / "1" / "assets.extra" / "model_card.md"
    # metrics.json is of the best model.
    assert "This model of the run was not evaluated." in card.read_text("utf-8")


@pytest.mark.parametrize("text", ["{", "[]", '{"P@1": 3}'])
def test_damaged_metrics(call, tiny_run, tmp_path, text):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("config.yaml", "label_names.txt"):
        shutil.copy(tiny_run.folder / name, run)
    (run / "metrics.json").write_text(text)
    ended = call("export", run, tmp_path / "out", tensorflow=False)
    assert ended.status == 2
    assert "metrics.json: Expected the metrics of a finished run" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_failed_check_leaves_nothing(call, tiny_run, exported, tmp_path, monkeypatch):
    def save(module, path, signatures):
        shutil.copytree(exported / "1", path, dirs_exist_ok=True)

    monkeypatch.setattr("tensorflow.saved_model.save", save)  # it takes seconds
    monkeypatch.setattr("xmc_keras.serving.version.check_export.TOLERANCE", -1.0)
    ended = call("export", tiny_run.folder, tmp_path / "out")
    assert ended.status == 2
    assert "Scores differ by" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(call, tiny_run, tmp_path, monkeypatch):
    def save(*arguments):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr("tensorflow.saved_model.save", save)
    ended = call("export", tiny_run.folder, tmp_path / "out")
    assert ended.status == 2
    assert "Expected to write a SavedModel. Received: No space left" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_missing_serving_packages(call, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xmc_keras.serving.version.warm_up", None)
    ended = call("export", tiny_run.folder, tmp_path / "out")
    assert ended.status == 2
    assert "pip install 'xmc-keras[serve]'" in ended.stderr
    assert not (tmp_path / "out").exists()


def test_warm_up_is_answered(exported):
    load_version(exported / "1").close()


@pytest.mark.large
def test_through_the_c_api(exported, tiny_run):
    """As a server in C++ would, with no Python of TensorFlow or Keras."""
    packages = os.path.dirname(os.path.dirname(tf.__file__))
    served = ServedModel(exported / "1")
    signature = served.signature()
    served.close()
    endpoints = {**signature.inputs, **signature.outputs}
    endpoints = {key: info.name for key, info in endpoints.items()}
    texts = ["word3a word3b word7c", "", "Ünbekannt 😀"]
    command = [
        *(sys.executable, PROJECT / "tests/helpers/c_api_client.py"),
        *(f"{packages}/tensorflow", f"{packages}/tensorflow_text", exported / "1"),
        *(json.dumps(endpoints), *texts),
    ]
    process = subprocess.run(command, capture_output=True)
    assert process.returncode == 0, process.stderr.decode()
    answer = json.loads(process.stdout)
    answer["labels"] = [[name.encode() for name in row] for row in answer["labels"]]
    check_equal(answer, RunFolder(tiny_run.folder).load_model().recommend(texts, 5))


@pytest.mark.large
@pytest.mark.parametrize("labels", [1, 2, 4])
def test_a_run_with_fewer_labels_than_five(labels, tiny_config, tmp_path, call):
    """All of them are returned where `k` is not given, and `P@5` is measured."""
    data = tmp_path / "data"
    data.mkdir()
    for part in ("train", "test"):
        (data / f"{part}_texts.txt").write_text("word1a word2b\n" * 8)
        names = [f"l{i % labels}" for i in range(8)]
        (data / f"{part}_labels.txt").write_text("\n".join(names) + "\n")
    run = make_run(tmp_path / "run", tiny_config, 1, f"data={data}", "max_leaf=1")
    result = call("export", run.path, tmp_path / "model")
    assert result.status == 0, result.stderr
    served = ServedModel(tmp_path / "model/1")
    answer = served.predict({"text": np.array([b"word1a"], object)})
    served.close()
    found = {name.decode() for name in answer["labels"][0]}
    assert found == {f"l{i}" for i in range(labels)}
    result = call("export", run.path, tmp_path / "model", "-k", 5)
    assert result.status == 2 and f"Expected k between 1 and {labels}" in result.stderr
    answer = json.loads(call("predict", run.path, "word1a").stdout)
    assert set(answer["labels"]) == found
    measured = json.loads(call("evaluate", run.path, "--json").stdout)
    assert 0 <= measured["P@1"] <= 100
    assert measured["P@5"] == pytest.approx(20)
