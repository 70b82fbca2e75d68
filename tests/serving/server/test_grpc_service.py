import contextlib
import logging
import types

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import error_codes_pb2, meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.answer_request import answer_request
from xmc_keras.serving.server.grpc_service import build_grpc_server
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.serving.server.version_state import VersionState

LIMIT = 2**20
State = get_model_status_pb2.ModelVersionStatus.State


class Versions:
    """`ModelVersions` that never change: 3 is corrupt, 2 is served."""

    name = "m"

    def __init__(self, model):
        self.model = model

    @contextlib.contextmanager
    def use(self, version=None):
        if version not in (None, 2):
            raise ServingError("NOT_FOUND", f"Servable not found: {version}")
        yield 2, self.model

    def states(self):
        return [
            VersionState(3, "END", "DATA_LOSS", "corrupt"),
            VersionState(2, "AVAILABLE"),
        ]


@pytest.fixture(scope="module")
def model(golden_model):
    return golden_model


@pytest.fixture(scope="module")
def server(model):
    """Stubs of both services, and their `Versions`."""
    versions = Versions(model)
    server, port = build_grpc_server(versions, "127.0.0.1:0", 4, LIMIT)
    server.start()
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        service = model_service_pb2_grpc.ModelServiceStub(channel)
        yield types.SimpleNamespace(
            predict=lambda request: prediction.Predict(request, timeout=20),
            prediction=prediction,
            service=service,
            versions=versions,
            port=port,
        )
    server.stop(None)


def request(signature="", name="m", **inputs):
    found = predict_pb2.PredictRequest()
    found.model_spec.name = name
    found.model_spec.signature_name = signature
    for key, value in inputs.items():
        if not isinstance(value, tensor_pb2.TensorProto):
            value = tf.make_tensor_proto(value)
        found.inputs[key].CopyFrom(value)
    return found


def tensor(dtype="DT_STRING", shape=(), **values):
    found = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        found.tensor_shape.dim.add(size=size)
    return found


def refused(call, *args):
    with pytest.raises(grpc.RpcError) as caught:
        call(*args)
    return caught.value.code().name, caught.value.details()


@pytest.mark.parametrize("signature", ["", "serve", "top_k", "labels_only"])
@pytest.mark.parametrize("texts", [["a", "日本", "", "a\x00b"], []], ids=len)
def test_predict(server, model, signature, texts):
    text = np.array([text.encode() for text in texts], object)
    inputs = {"text": text}
    if signature == "top_k":
        inputs["k"] = np.array(3, np.int32)
    response = server.predict(request(signature, **inputs))
    expected = model.predict(inputs, signature)
    assert set(response.outputs) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs[key]), value)
        assert (
            response.outputs[key].dtype == model.signature(signature).outputs[key].dtype
        )
    spec = response.model_spec
    assert (spec.name, spec.version.value) == ("m", 2)
    assert spec.signature_name == (signature or "serving_default")


def test_only_the_outputs_that_are_asked_for(server):
    asked = request(text=["a"])
    asked.output_filter.append("scores")
    assert list(server.predict(asked).outputs) == ["scores"]
    asked.output_filter.append("scores")
    assert refused(server.predict, asked)[0] == "INVALID_ARGUMENT"
    asked.output_filter[1] = "ids"
    code, message = refused(server.predict, asked)
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("output tensor alias not found in signature: ids")
    assert message.endswith("{labels,scores}.")


def test_versions(server):
    asked = request(text=["a"])
    asked.model_spec.version.value = 2
    assert server.predict(asked).model_spec.version.value == 2
    asked.model_spec.version.value = 0
    assert refused(server.predict, asked) == ("NOT_FOUND", "Servable not found: 0")
    asked.model_spec.version_label = "stable"
    expected = "INVALID_ARGUMENT", "Unrecognized servable version label: stable"
    assert refused(server.predict, asked) == expected
    asked = request(name="zz", text=["a"])
    expected = "Servable not found for request: Latest(zz)"
    assert refused(server.predict, asked) == ("NOT_FOUND", expected)
    asked.model_spec.version.value = 7
    expected = "Servable not found for request: Specific(zz, 7)"
    assert refused(server.predict, asked) == ("NOT_FOUND", expected)


@pytest.mark.parametrize(
    ("signature", "inputs", "code", "message"),
    [
        ("nope", {}, "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
        (
            "",
            {},
            "INVALID_ARGUMENT",
            "0!=1 len({}) != len({text}). Sent extra: {}. Mis",
        ),
        (
            "",
            {"x": 1, "text": "a"},
            "INVALID_ARGUMENT",
            "Sent extra: {x}. Missing but r",
        ),
        (
            "",
            {"x": ["a"]},
            "INVALID_ARGUMENT",
            "extra: {x}. Missing but required: {text}",
        ),
        (
            "",
            {"text": [1.5]},
            "INVALID_ARGUMENT",
            "to be DT_STRING but DT_FLOAT is prov",
        ),
        ("", {"text": tensor(12345)}, "INVALID_ARGUMENT", "but 12345 is provided"),
        ("", {"text": "a"}, "INVALID_ARGUMENT", ""),
        ("", {"text": [["a"]]}, "INVALID_ARGUMENT", ""),
        ("top_k", {"text": ["a"], "k": -1}, "INVALID_ARGUMENT", ""),
        (
            "top_k",
            {"text": ["a"], "k": np.array(2)},
            "INVALID_ARGUMENT",
            "Expects input k to be DT_INT32 but DT_INT64 is provided",
        ),
    ],
)
def test_requests_that_do_not_fit(server, signature, inputs, code, message):
    found = refused(server.predict, request(signature, **inputs))
    assert found[0] == code and found[1] and message in found[1]


@pytest.mark.parametrize(
    "text",
    [
        tensor(shape=[-1], string_val=[b"a"]),
        tensor(shape=[2], string_val=[b"a", b"b", b"c"]),
        tensor(shape=[2], tensor_content=b"ab"),
        tensor(shape=[2**40], string_val=[b"a"]),
        tensor(shape=[2**62, 2**62, 4], string_val=[b"a"]),
    ],
    ids=["negative", "too many", "content", "repeated for ever", "overflow"],
)
def test_tensors_that_are_damaged(server, text):
    code, message = refused(server.predict, request(text=text))
    assert code == "INVALID_ARGUMENT" and message.startswith(
        "tensor parsing error: text"
    )


def test_a_tensor_of_unknown_rank(server):
    text = tensor(string_val=[b"a"])
    text.tensor_shape.unknown_rank = True
    code, message = refused(server.predict, request(text=text))
    assert (code, message) == (
        "INVALID_ARGUMENT",
        "tensor parsing error: text has no definite shape",
    )


def test_values_that_repeat(server):
    repeated = tensor(shape=[3], string_val=[b"a", b"b"])
    found = server.predict(request(text=repeated))
    expected = server.predict(request(text=["a", "b", "b"]))
    assert found == expected


def test_inputs_with_a_default():
    signature = meta_graph_pb2.SignatureDef()
    for key, dtype in (("text", types_pb2.DT_STRING), ("k", types_pb2.DT_INT32)):
        signature.inputs[key].dtype = dtype
    signature.outputs["sum"].dtype = types_pb2.DT_INT32
    signature.defaults["k"].CopyFrom(tf.make_tensor_proto(7))
    model = types.SimpleNamespace(
        signature=lambda name: signature,
        predict=lambda inputs, name: {"sum": inputs["k"] + len(inputs["text"])},
    )

    def found(**inputs):
        return tf.make_ndarray(answer_request(model, request(**inputs)).outputs["sum"])

    assert found(text=["a", "b"]) == 9 and found(text=["a", "b"], k=1) == 3
    with pytest.raises(ServingError, match="Missing but required: {text}"):
        found(k=1)


def test_messages_of_many_bytes(server):
    code, _ = refused(server.predict, request(text=["a" * (LIMIT + 1)]))
    assert code == "RESOURCE_EXHAUSTED"
    texts = [""] * 130_000  # a small request, and an answer of several megabytes
    response = server.predict(request(text=texts))
    assert response.ByteSize() > 4 * 2**20
    assert tf.make_ndarray(response.outputs["scores"]).shape == (130_000, 5)


def test_a_long_message_is_cut(server):
    code, message = refused(server.predict, request("ü" * 100_000, text=["a"]))
    assert code == "FAILED_PRECONDITION" and 1990 < len(message.encode()) <= 2000


def test_no_model_is_named(server):
    expected = ("INVALID_ARGUMENT", "Missing ModelSpec")
    assert refused(server.predict, predict_pb2.PredictRequest()) == expected
    metadata = get_model_metadata_pb2.GetModelMetadataRequest()
    assert refused(server.prediction.GetModelMetadata, metadata) == expected
    status = get_model_status_pb2.GetModelStatusRequest()
    assert refused(server.service.GetModelStatus, status) == expected
    nameless = "INVALID_ARGUMENT", "ModelSpec has no name specified."
    asked = request(name="", text=["a"])
    asked.model_spec.version.value = 2
    assert refused(server.predict, asked) == nameless
    metadata.model_spec.name = ""
    metadata.metadata_field.append("signature_def")
    assert refused(server.prediction.GetModelMetadata, metadata) == nameless
    status.model_spec.name = ""
    assert refused(server.service.GetModelStatus, status)[0] == "NOT_FOUND"


def test_an_error_that_nobody_expected(server, monkeypatch, caplog):
    monkeypatch.setattr(server.versions, "model", None)
    code, message = refused(server.predict, request(text=["a"]))
    assert (code, message) == ("INTERNAL", "Internal error: see the server's log.")
    (record,) = [
        x for x in caplog.records if x.name == "xmc_keras.serving.server.grpc_service"
    ]
    assert record.levelno == logging.ERROR and record.exc_info


def test_metadata(server, model):
    asked = get_model_metadata_pb2.GetModelMetadataRequest()
    asked.model_spec.name = "m"
    get = server.prediction.GetModelMetadata
    assert refused(get, asked) == (
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    asked.metadata_field.append("signature_def")
    response = get(asked)
    assert (response.model_spec.name, response.model_spec.version.value) == ("m", 2)
    assert list(response.metadata) == ["signature_def"]
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert dict(signatures.signature_def) == model.signatures
    asked.metadata_field.append("assets")
    expected = "INVALID_ARGUMENT", "Metadata field assets is not supported"
    assert refused(get, asked) == expected
    del asked.metadata_field[1]
    asked.model_spec.version.value = 9
    assert refused(get, asked)[0] == "NOT_FOUND"


def test_status(server):
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "m"
    get = server.service.GetModelStatus
    corrupt, served = get(asked).model_version_status
    assert (served.version, served.state) == (2, State.Value("AVAILABLE"))
    assert (served.status.error_code, served.status.error_message) == (0, "")
    assert (corrupt.version, corrupt.state) == (3, State.Value("END"))
    assert corrupt.status.error_code == error_codes_pb2.DATA_LOSS
    assert corrupt.status.error_message == "corrupt"
    asked.model_spec.version.value = 3
    assert list(get(asked).model_version_status) == [corrupt]
    asked.model_spec.version.value = 9
    expected = "NOT_FOUND", "Could not find version 9 of model m"
    assert refused(get, asked) == expected
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "zz"
    expected = "NOT_FOUND", "Could not find any versions of model zz"
    assert refused(get, asked) == expected


def test_methods_that_are_not_offered(server, caplog):
    for method, asked in (
        (server.prediction.Classify, classification_pb2.ClassificationRequest()),
        (server.prediction.Regress, regression_pb2.RegressionRequest()),
    ):
        assert refused(method, asked) == ("INVALID_ARGUMENT", "Missing ModelSpec")
        asked.model_spec.name = "zz"
        assert refused(method, asked)[0] == "NOT_FOUND"
        asked.model_spec.name = "m"
        code, message = refused(method, asked)
        assert code == "INVALID_ARGUMENT" and "tf.Example" in message
    for method, asked in (
        (server.prediction.MultiInference, inference_pb2.MultiInferenceRequest()),
        (
            server.service.HandleReloadConfigRequest,
            model_management_pb2.ReloadConfigRequest(),
        ),
    ):
        assert refused(method, asked)[0] == "UNIMPLEMENTED"
    assert not caplog.records


def test_a_port_in_use(server, capfd):
    with pytest.raises(BadInput, match=f"Received: 127.0.0.1:{server.port}, which is"):
        build_grpc_server(server.versions, f"127.0.0.1:{server.port}", 1)
