"""gRPC interface of TensorFlow Serving for one model.

Known differences: there are no version labels; `Classify` and `Regress` fail with
INVALID_ARGUMENT whatever they are given, because they need tf.Example features;
`MultiInference`, `SessionRun` and `HandleReloadConfigRequest` are UNIMPLEMENTED; a
message is cut after 2000 bytes, and its wording may differ.
"""

import functools
import logging
from concurrent import futures

import grpc
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.answer_request import answer_request
from xmc_keras.serving.server.serving_error import ServingError

logger = logging.getLogger(__name__)

# Maximum bytes of an error message. It is sent in a header, where each byte may take
# three, and gRPC starts to reject headers at 8 KB.
MAX_DETAILS = 2000


def build_grpc_server(models, address, threads, max_body_bytes=64 * 2**20):
    """Builds the gRPC server of a model, bound to its port but not started.

    It answers `PredictionService.Predict`, `GetModelMetadata` and
    `ModelService.GetModelStatus`.

    Args:
        models: `ModelVersions`.
        address: string. Host and port, `"127.0.0.1:8500"`; port 0 picks a free one.
        threads: integer. Requests that run concurrently.
        max_body_bytes: integer. Larger requests fail with RESOURCE_EXHAUSTED. Defaults
            to 64 MiB. Responses are not limited.

    Returns:
        Tuple `(server, port)`: the `grpc.Server` and the port that it is bound to.

    Raises:
        BadInput: the address cannot be bound.
    """
    server = grpc.server(
        futures.ThreadPoolExecutor(threads, "grpc"),
        options=[
            ("grpc.max_receive_message_length", max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # a port in use is an error
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _PredictionService(models), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _ModelService(models), server
    )
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError:  # grpcio has logged the reason
        raise BadInput(
            f"Expected an address that gRPC can listen on. Received: {address}, which "
            "is in use or not on this machine.",
            remedy="Choose another `grpc_port`.",
        ) from None


def _method(function):
    """Decorator of all methods: turns errors into a status."""

    @functools.wraps(function)
    def answer(self, request, context):
        try:
            if not request.HasField("model_spec"):
                raise ServingError("INVALID_ARGUMENT", "Missing ModelSpec")
            return function(self, request)
        except ServingError as error:
            code, message = grpc.StatusCode[error.code], error.message
        except Exception:
            logger.exception("A gRPC request failed")
            code = grpc.StatusCode.INTERNAL
            message = "Internal error: see the server's log."
        details = message.encode("utf-8", "replace")[:MAX_DETAILS]
        context.abort(code, details.decode("utf-8", "ignore"))

    return answer


def _unimplemented(self, request, context):
    context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        "This server supports only Predict, GetModelMetadata and GetModelStatus",
    )


def _use(models, spec):
    if not spec.name:
        raise ServingError("INVALID_ARGUMENT", "ModelSpec has no name specified.")
    choice = spec.WhichOneof("version_choice")
    if choice == "version_label":
        raise ServingError(
            "INVALID_ARGUMENT",
            f"Unrecognized servable version label: {spec.version_label}",
        )
    version = spec.version.value if choice else None
    if spec.name != models.name:
        wanted = f"Latest({spec.name})"
        if choice:
            wanted = f"Specific({spec.name}, {version})"
        raise ServingError("NOT_FOUND", f"Servable not found for request: {wanted}")
    return models.use(version)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    MultiInference = _unimplemented

    def __init__(self, models):
        self.models = models

    @_method
    def Classify(self, request):
        with _use(self.models, request.model_spec):
            raise ServingError(
                "INVALID_ARGUMENT",
                "Expected Predict. Received: Classify or Regress, which need "
                "tf.Example features that this model does not have.",
            )

    Regress = Classify

    @_method
    def Predict(self, request):
        with _use(self.models, request.model_spec) as (version, model):
            response = answer_request(model, request)
        response.model_spec.version.value = version
        return response

    @_method
    def GetModelMetadata(self, request):
        if not request.metadata_field:
            raise ServingError(
                "INVALID_ARGUMENT",
                "GetModelMetadataRequest must specify at least one metadata_field",
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise ServingError(
                    "INVALID_ARGUMENT", f"Metadata field {field} is not supported"
                )
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with _use(self.models, request.model_spec) as (version, model):
            for name, signature in model.signatures.items():
                signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = self.models.name
        response.model_spec.version.value = version
        response.metadata["signature_def"].Pack(signatures)
        return response


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    HandleReloadConfigRequest = _unimplemented

    def __init__(self, models):
        self.models = models

    @_method
    def GetModelStatus(self, request):
        spec = request.model_spec
        states = self.models.states() if spec.name == self.models.name else []
        missing = f"any versions of model {spec.name}"
        if spec.HasField("version"):
            states = [x for x in states if x.version == spec.version.value]
            missing = f"version {spec.version.value} of model {spec.name}"
        if not states:
            raise ServingError("NOT_FOUND", f"Could not find {missing}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for state in states:
            status = response.model_version_status.add(version=state.version)
            status.state = get_model_status_pb2.ModelVersionStatus.State.Value(
                state.state
            )
            status.status.error_code = error_codes_pb2.Code.Value(state.error_code)
            status.status.error_message = state.error_message
        return response
