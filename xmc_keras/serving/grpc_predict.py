"""A request to a model by gRPC."""

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def predict_over_grpc(address, name, version, inputs, signature, timeout):
    """Calls `PredictionService.Predict`.

    Args:
        address: string. `"host:8500"`.
        name: string. The model's name.
        version: integer, or `None` for the version that the server prefers.
        inputs: dictionary of numbers, strings, lists or NumPy arrays. Python's
            integers become int32, its floats float32.
        signature: string.
        timeout: float, in seconds.

    Returns:
        Dictionary of the outputs as lists, with strings for bytes; the list itself if
        there is one output, as REST has it.

    Raises:
        ConnectionError: with the code and message that the call ended with.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    unlimited = [("grpc.max_receive_message_length", -1)]  # it is 4 MB otherwise
    with grpc.insecure_channel(address, unlimited) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            message = f"{error.code().name}, {error.details()}"
            raise ConnectionError(message) from None
    outputs = {
        key: _text_of(tf.make_ndarray(tensor).tolist())
        for key, tensor in response.outputs.items()
    }
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _text_of(value):
    """Nested lists, with strings in place of bytes."""
    if isinstance(value, list):
        return [_text_of(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
