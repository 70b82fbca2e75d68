"""Prediction request over gRPC."""

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def predict_over_grpc(address, name, version, inputs, signature, timeout):
    """Calls `PredictionService.Predict`.

    Args:
        address: string. `"host:8500"`.
        name: string. The model's name.
        version: integer, or `None` for the server's default version.
        inputs: dictionary of numbers, strings, lists or NumPy arrays. Python integers
            become int32, Python floats float32.
        signature: string.
        timeout: float, in seconds.

    Returns:
        Dictionary of the outputs as lists, with strings instead of bytes; only the list
        if there is a single output, same as in REST.

    Raises:
        ConnectionError: the call failed; the message has its status code and details.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    unlimited = [("grpc.max_receive_message_length", -1)]  # the default is 4 MB
    with grpc.insecure_channel(address, unlimited) as channel:
        service = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = service.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            message = f"{error.code().name}, {error.details()}"
            raise ConnectionError(message) from None
    outputs = {
        key: _decode_bytes(tf.make_ndarray(tensor).tolist())
        for key, tensor in response.outputs.items()
    }
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _decode_bytes(value):
    """Converts the bytes in nested lists to strings."""
    if isinstance(value, list):
        return [_decode_bytes(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
