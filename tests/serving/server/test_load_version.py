import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.load_version import load_version
from xmc_keras.serving.server.model_versions import ModelVersions
from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.server.serving_error import ServingError

WARMUP = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture
def version(golden_version, tmp_path):
    """A copy of the model that a test may damage."""
    return shutil.copytree(golden_version, tmp_path / "model" / "1")


def record(signature="", texts=("a", "b")):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.signature_name = signature
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts)))
    return log.SerializeToString()


def write_warmup(version, records):
    path = version / WARMUP
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for each in records:
            writer.write(each)


def refused(version):
    with pytest.raises(ServingError) as caught:
        load_version(version)
    return caught.value.code, caught.value.message


def test_warm_up_requests_are_run(version, monkeypatch):
    session = prediction_log_pb2.PredictionLog()
    session.session_run_log.SetInParent()  # not a request that is replayed
    write_warmup(
        version, [record(), record("labels_only"), session.SerializeToString()]
    )
    run = []

    def predict(self, inputs, name):
        run.append((name, inputs["text"].tolist()))
        return ask(self, inputs, name)

    ask = ServedModel.predict
    monkeypatch.setattr(
        "xmc_keras.serving.server.load_version.ServedModel.predict", predict
    )
    load_version(version).close()
    assert run == [("", [b"a", b"b"]), ("labels_only", [b"a", b"b"])]


def test_no_warm_up_file(version):
    model = load_version(version)
    assert model.predict({"text": np.array([b"a"], object)})["scores"].shape == (1, 5)
    model.close()


@pytest.mark.parametrize(
    ("records", "code", "message"),
    [
        ([record(), record("nope")], "FAILED_PRECONDITION", "Warmup record 2 of "),
        ([record(texts=[1.5])], "INVALID_ARGUMENT", "to be DT_STRING but DT_FLOAT"),
        ([record(texts=[["a"]])], "INVALID_ARGUMENT", "Warmup record 1 of "),
        ([b"\xff junk"], "INVALID_ARGUMENT", "Failed to parse warmup record 1 from"),
        ([record()] * 1001, "INVALID_ARGUMENT", "records exceeds the maximum (1000)"),
    ],
    ids=["signature", "dtype", "shape", "junk", "too many"],
)
def test_a_warm_up_request_that_fails(version, records, code, message):
    write_warmup(version, records)
    closed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "xmc_keras.serving.server.load_version.ServedModel.close",
            lambda self: closed.append(self),
        )
        found = refused(version)
    assert found[0] == code and message in found[1]
    assert len(closed) == 1
    closed[0]._session.close()


def test_a_warm_up_file_that_is_no_record_file(version):
    write_warmup(version, [record()])
    path = version / WARMUP
    path.write_bytes(path.read_bytes()[:-5])
    assert refused(version)[0] == "DATA_LOSS"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda version: shutil.rmtree(version), "NOT_FOUND"),
        (lambda version: (version / "saved_model.pb").unlink(), "NOT_FOUND"),
        (
            lambda version: (version / "saved_model.pb").write_bytes(b"junk"),
            "DATA_LOSS",
        ),
        (lambda version: (version / "saved_model.pb").write_bytes(b""), None),
        (lambda version: shutil.rmtree(version / "variables"), None),
        (
            lambda version: (
                version / "variables/variables.data-00000-of-00001"
            ).write_bytes(b""),
            None,
        ),
    ],
    ids=["no folder", "no graph", "junk", "empty", "no variables", "empty variables"],
)
def test_a_version_that_does_not_load(version, spoil, code):
    spoil(version)
    found, message = refused(version)
    assert found in tf_codes() and found == (code or found)
    assert message and "stack trace" not in message


def tf_codes():
    return {name for name in vars(tf.errors) if name.isupper()}


def test_versions_of_a_real_model(version):
    base = version.parent
    write_warmup(shutil.copytree(version, base / "2"), [record("nope")])
    models = ModelVersions("golden", base, 0.05)
    models.start()
    with models.use() as (number, model):
        found = model.predict({"text": np.array([b"a"], object)})
    assert number == 1 and found["labels"].shape == (1, 5)
    newest, _ = models.states()
    assert (newest.version, newest.state) == (2, "END")
    assert newest.error_code == "FAILED_PRECONDITION"
    assert models.stop()


def test_no_version_of_a_real_model_loads(version):
    (version / "saved_model.pb").write_bytes(b"junk")
    with pytest.raises(BadInput, match="version 1: DATA_LOSS, Can't parse .* proto"):
        ModelVersions("golden", version.parent).start()
