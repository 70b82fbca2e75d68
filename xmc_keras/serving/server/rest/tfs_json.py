"""Parser of TensorFlow Serving's REST `:predict` bodies into NumPy arrays.

No web server and no TensorFlow here: bytes and signatures in, arrays out. What is
accepted, and the order in which faults are found, follow tensorflow_serving/util/
json_tensor.cc; rest_app.py lists the differences.
"""

import json
import math
import re

from xmc_keras.serving.server.rest.json_tensor import (
    JsonTensor,
    excerpt,
    invalid_error,
    is_base64,
)
from xmc_keras.serving.server.serving_error import ServingError

DEFAULT_SIGNATURE = "serving_default"
TOO_BIG = "JSON Parse error: Number too big to be stored in double."


def decode_request(body, signatures):
    """Parses a `:predict` body in row (`instances`) or column (`inputs`) format.

    Args:
        body: bytes. JSON in UTF-8; text after the JSON value is ignored.
        signatures: dictionary of name to `SignatureDef`.

    Returns:
        Tuple `(signature_name, inputs, row_format)`: the name of the signature, a
        dictionary of each of its inputs to a NumPy array (strings are bytes objects),
        and whether to respond in row format.

    Raises:
        ServingError: the body is anything else.

    Example:

    >>> from types import SimpleNamespace as Message
    >>> signature = Message(inputs={"text": Message(dtype=7)})
    >>> decode_request(b'{"instances": ["a"]}', {"serving_default": signature})
    ('serving_default', {'text': array([b'a'], dtype=object)}, True)
    """
    try:
        document = parse_json(body)
        name = document.get("signature_name", "")
        if not isinstance(name, str):
            raise invalid_error(
                f"JSON Value: {excerpt(document)} not formatted correctly. "
                "'signature_name' key must be a string value."
            )
        name = name or DEFAULT_SIGNATURE
        if name not in signatures:
            raise invalid_error(
                f'Serving signature name: "{name}" not found in signature def'
            )
        infos = signatures[name].inputs
        if not infos:
            raise invalid_error(f"Failed to get input map for signature: {name}")
        if "instances" in document and "inputs" in document:
            raise invalid_error(
                f"JSON Value: {excerpt(document)} Not formatted correctly expecting "
                "only one of 'inputs' or 'instances' keys to exist"
            )
        if "instances" in document:
            return name, decode_instances(document, infos), True
        if "inputs" in document:
            return name, decode_inputs(document["inputs"], infos), False
        raise invalid_error("Missing 'inputs' or 'instances' key")
    except RecursionError:
        raise invalid_error(
            "JSON Parse error: The document is nested too deeply"
        ) from None


def parse_finite(digits):
    """Rejects numbers like 1e999; the tokens NaN and Infinity are not parsed here."""
    number = float(digits)
    if math.isinf(number):
        raise invalid_error(TOO_BIG)
    return number


DECODER = json.JSONDecoder(parse_float=parse_finite)
WHITESPACE = re.compile(r"[ \t\n\r]*")


def parse_json(body):
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid_error(
            f"JSON Parse error: The document is not UTF-8 at offset: {error.start}. "
            'Send such bytes as {"b64": "..."}'
        ) from None
    start = WHITESPACE.match(text).end()
    if start == len(text):
        raise invalid_error("JSON Parse error: The document is empty")
    try:
        document, _ = DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise invalid_error(
            f"JSON Parse error: {error.msg} at offset: {error.pos}"
        ) from None
    except ValueError:  # an integer of thousands of digits
        raise invalid_error(TOO_BIG) from None
    if not isinstance(document, dict):
        raise invalid_error(f"JSON Value: {excerpt(document)} Is not object")
    return document


def decode_instances(document, infos):
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid_error(
            f"JSON Value: {excerpt(document)} Expecting 'instances' to be an list/array"
        )
    if not instances:
        raise invalid_error(
            f"JSON Value: {excerpt(document)} No values in 'instances' array"
        )
    by_name = is_named(instances[0])
    if not by_name and len(infos) > 1:
        raise invalid_error(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    only = next(iter(infos))
    tensors = {name: JsonTensor(info.dtype) for name, info in infos.items()}
    for i, element in enumerate(instances):
        if is_named(element) != by_name:
            expected, got = "object", "list"
            if not by_name:
                expected, got = "value/list", "object"
            raise invalid_error(
                f"Expecting {expected} but got {got} at item {i} of input list"
            )
        for name, value in element.items() if by_name else [(only, element)]:
            try:
                if name not in tensors:
                    raise invalid_error(
                        f"JSON object: does not have named input: {name}"
                    )
                tensors[name].add(value)
            except ServingError as error:
                key = f" key: {name}" if by_name else ""
                raise invalid_error(
                    f"Failed to process element: {i}{key} of 'instances' list. "
                    f"Error: {error.code}: {error.message}"
                ) from None
        if by_name and len(element) != len(infos):
            raise invalid_error(
                f"Failed to process element: {i} of 'instances' list. JSON object: "
                f"{excerpt(element)} keys must be equal to: {','.join(sorted(infos))}"
            )
    return {name: tensor.batch() for name, tensor in tensors.items()}


def decode_inputs(value, infos):
    if not is_named(value):
        if len(infos) > 1:
            raise invalid_error(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        value = {name: value for name in infos}
    arrays = {}
    for name, info in infos.items():
        if name not in value:
            raise invalid_error(f"Missing named input: {name} in 'inputs' object.")
        tensor = JsonTensor(info.dtype)
        tensor.add(value[name])
        arrays[name] = tensor.array()
    return arrays


def is_named(value):
    """Whether a value holds named inputs: any object except `{"b64": "..."}`."""
    return isinstance(value, dict) and not is_base64(value)
