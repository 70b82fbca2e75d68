"""Responses of TensorFlow Serving's REST interface, as JSON in UTF-8.

No web server and no TensorFlow here. The output follows tensorflow_serving/util/
json_tensor.cc, except that it is compact.
"""

import base64
import json

import numpy as np
from google.protobuf import json_format

from xmc_keras.serving.server.rest.json_tensor import invalid_error

# HTTP status of each error code. All other codes are 500.
HTTP_STATUS = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}


def encode_response(outputs, row_format):
    """Encodes the response to `:predict`.

    Args:
        outputs: dictionary of NumPy arrays. Strings are bytes objects, in UTF-8 unless
            the output's name ends with `_bytes`.
        row_format: boolean. Whether to write `{"predictions": [...]}` instead of
            `{"outputs": ...}`. A single output is written without its name.

    Returns:
        Bytes.

    Raises:
        ServingError: an output cannot be written as JSON, or not in row format.

    Example:

    >>> import numpy as np
    >>> encode_response({"scores": np.array([[0.1, 1]], np.float32)}, True)
    b'{"predictions":[[0.1,1.0]]}'
    """
    if not outputs:
        raise invalid_error("Cannot convert empty tensor map to JSON")
    # A scalar string is a bytes object, whose trailing NULs NumPy would strip.
    arrays = {
        name: np.asarray(values, object if isinstance(values, bytes) else None)
        for name, values in outputs.items()
    }
    if row_format:
        check_batches(arrays)
    lists = {name: list_values(name, array) for name, array in arrays.items()}
    if len(lists) == 1:
        (answer,) = lists.values()
    elif row_format:
        answer = [dict(zip(lists, row)) for row in zip(*lists.values())]
    else:
        answer = lists
    return encode_json({"predictions" if row_format else "outputs": answer})


def check_batches(arrays):
    sizes = {}
    for name, array in arrays.items():
        if not array.ndim:
            raise invalid_error(f"Tensor name: {name} has no shape information")
        sizes[name] = len(array)
        expected = next(iter(sizes.values()))
        if sizes[name] != expected:
            raise invalid_error(
                f"Tensor name: {name} has inconsistent batch size: {sizes[name]} "
                f"expecting: {expected}"
            )


def list_values(name, array):
    """Converts an array to nested lists of JSON values."""
    if array.dtype == object:
        return list_strings(name, array)
    if array.dtype == np.float32:
        if array.ndim > 1:  # row by row: a number as a string takes 128 bytes
            return [list_values(name, row) for row in array]
        # By the shortest digits: 0.1 cast to float64 would be 0.10000000149011612.
        return array.astype("U").astype(np.float64).tolist()
    if array.dtype == np.float64 or array.dtype.kind in "iub":
        return array.tolist()
    raise invalid_error(f"Failed to write JSON value for tensor type: {array.dtype}")


def list_strings(name, array):
    if name.endswith("_bytes"):
        items = [{"b64": base64.b64encode(x).decode()} for x in array.flat]
    else:
        try:
            items = [x.decode() for x in array.flat]
        except UnicodeDecodeError as error:
            raise invalid_error(
                f"Failed to write JSON value: output {name} holds a string that is "
                f"not UTF-8 ({error.object[:20]}). Use gRPC instead."
            ) from None
    return np.array(items, object).reshape(array.shape).tolist()


def encode_error(message):
    """Encodes the response to a failed request."""
    return encode_json({"error": message})


def encode_status(states):
    """Encodes the response to `GET /v1/models/<name>` from `VersionState` objects."""
    return encode_json(
        {
            "model_version_status": [
                {
                    "version": str(state.version),
                    "state": state.state,
                    "status": {
                        "error_code": state.error_code,
                        "error_message": state.error_message,
                    },
                }
                for state in states
            ]
        }
    )


def encode_metadata(name, version, signatures):
    """Encodes the response to `GET /v1/models/<name>/metadata`.

    Args:
        name: string. Name of the model.
        version: integer.
        signatures: dictionary of name to `SignatureDef`.

    Returns:
        Bytes.
    """
    definitions = {
        key: json_format.MessageToDict(
            signature,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for key, signature in signatures.items()
    }
    spec = {"name": name, "version": str(version), "signature_name": ""}
    metadata = {"signature_def": {"signature_def": definitions}}
    return encode_json({"model_spec": spec, "metadata": metadata})


def encode_json(value):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A message may quote a lone surrogate, which UTF-8 cannot encode.
    return text.encode("utf-8", "replace")
