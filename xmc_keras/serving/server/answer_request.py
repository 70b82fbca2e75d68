"""Prediction for a `PredictRequest` of TensorFlow Serving."""

import math

import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

from xmc_keras.serving.server.serving_error import ServingError

# A tensor may declare that its last value repeats: a few bytes can request terabytes,
# or more texts than can be processed in a day.
MAX_REPEATED = 2**16


def answer_request(model, request):
    """Runs the signature that a request names.

    The checks and their status codes are the same as in TensorFlow Serving's
    `PredictionService.Predict` (predict_util.cc).

    Args:
        model: `ServedModel`.
        request: `PredictRequest`. Only its signature name, inputs and output filter
            are used; inputs with a default are optional.

    Returns:
        `PredictResponse` with the signature's name and the outputs.

    Raises:
        ServingError: the request does not match the signature, or the graph rejects it.
    """
    name = request.model_spec.signature_name
    signature = model.signature(name)
    wanted = _select_outputs(request.output_filter, signature)
    outputs = model.predict(_read_inputs(request, signature), name)
    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = name or "serving_default"
    for alias in wanted:
        dtype = tf.as_dtype(signature.outputs[alias].dtype)
        tensor = tf.make_tensor_proto(outputs[alias], dtype)
        response.outputs[alias].CopyFrom(tensor)
    return response


def _select_outputs(output_filter, signature):
    for alias in output_filter:
        if alias not in signature.outputs:
            raise _invalid_error(
                f"output tensor alias not found in signature: {alias} Outputs "
                f"expected to be in the set {_format_names(signature.outputs)}."
            )
    if len(set(output_filter)) < len(output_filter):
        raise _invalid_error(f"duplicate output tensor alias in {list(output_filter)}")
    return list(output_filter) or list(signature.outputs)


def _read_inputs(request, signature):
    given, known = set(request.inputs), set(signature.inputs)
    missing = known - given - set(signature.defaults)
    if missing or given - known:
        raise _invalid_error(
            f"input size does not match signature: {len(given)}!={len(known)} "
            f"len({_format_names(given)}) != len({_format_names(known)}). Sent extra: "
            f"{_format_names(given - known)}. Missing but required: "
            f"{_format_names(missing)}."
        )
    limit = max(MAX_REPEATED, request.ByteSize())
    return {
        alias: _read_array(
            alias,
            request.inputs[alias] if alias in given else signature.defaults[alias],
            info.dtype,
            limit,
        )
        for alias, info in signature.inputs.items()
    }


def _read_array(alias, tensor, dtype, limit):
    if tensor.dtype != dtype:
        raise _invalid_error(
            f"Expects input {alias} to be {_dtype_name(dtype)} but "
            f"{_dtype_name(tensor.dtype)} is provided"
        )
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
        raise _invalid_error(f"tensor parsing error: {alias} has no definite shape")
    if math.prod(sizes) > limit:
        raise _invalid_error(
            f"tensor parsing error: {alias} of shape {sizes} is too large"
        )
    try:
        return tf.make_ndarray(tensor)
    except (TypeError, ValueError) as error:
        raise _invalid_error(f"tensor parsing error: {alias}: {error}") from None


def _dtype_name(dtype):
    known = types_pb2.DataType.values()
    return types_pb2.DataType.Name(dtype) if dtype in known else str(dtype)


def _format_names(names):
    return f"{{{','.join(sorted(names))}}}"


def _invalid_error(message):
    return ServingError("INVALID_ARGUMENT", message)
