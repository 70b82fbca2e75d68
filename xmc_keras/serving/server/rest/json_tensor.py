"""An input tensor built from JSON values."""

import base64
import binascii
import json
import math

import numpy as np

from xmc_keras.serving.server.serving_error import ServingError

MAX_RANK = 32  # NumPy allows 64 dimensions, Python's recursion 1,000 levels
MAX_EXCERPT = 200  # characters of a value that a message quotes
ENCODER = json.JSONEncoder(ensure_ascii=False)


class JsonTensor:
    """A tensor that grows by one JSON value at a time, all of the same shape.

    Args:
        dtype: integer. A `DataType` of TensorFlow's types.proto.

    Example:

    >>> tensor = JsonTensor(3)
    >>> tensor.add([1, 2])
    >>> tensor.add([3, 4])
    >>> tensor.batch().tolist()
    [[1, 2], [3, 4]]
    """

    def __init__(self, dtype):
        self.dtype, self.convert = CONVERSIONS.get(dtype) or unknown_conversion(dtype)
        self.shape = None  # of one value
        self.count = 0
        self.items = []  # of all values, flat

    def add(self, value):
        """Adds a value.

        Raises:
            ServingError: the value is ragged, differs in shape from the first one, or
                has the wrong type.
        """
        shape = infer_shape(value)
        self.fill(value, 0, shape)
        self.shape = shape if self.shape is None else self.shape
        if math.prod(shape) != math.prod(self.shape):
            raise invalid_error(
                f"Expecting tensor size: {math.prod(self.shape)} but got: "
                f"{math.prod(shape)}"
            )
        if shape != self.shape:
            raise invalid_error(f"Expecting shape {self.shape} but got: {shape}")
        self.count += 1

    def fill(self, value, level, shape):
        rank = len(shape)
        if not isinstance(value, list):
            if level != rank:
                raise invalid_error(
                    f"JSON Value: {excerpt(value)} found at incorrect level: "
                    f"{level + 1} in the JSON DOM. Expected at level: {rank}"
                )
            self.items.append(self.convert(value))
            return
        if level >= rank:
            raise invalid_error(
                f"Encountered list at unexpected level: {level} expected < {rank}"
            )
        if len(value) != shape[level]:
            raise invalid_error(
                f"Encountered list at unexpected size: {len(value)} at level: "
                f"{level} expected size: {shape[level]}"
            )
        for item in value:
            self.fill(item, level + 1, shape)

    def array(self):
        """The single value as a NumPy array."""
        return np.array(self.items, self.dtype).reshape(self.shape)

    def batch(self):
        """All values as a NumPy array with a leading batch dimension."""
        return np.array(self.items, self.dtype).reshape([self.count, *self.shape])


def invalid_error(message):
    return ServingError("INVALID_ARGUMENT", message)


def excerpt(value):
    """The beginning of a value's JSON, without encoding the rest."""
    text = ""
    for part in ENCODER.iterencode(value):
        text += part
        if len(text) > MAX_EXCERPT:
            return text[:MAX_EXCERPT] + "..."
    return text


def infer_shape(value):
    """Lengths of the nested lists, following the first item of each."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > MAX_RANK:
            raise invalid_error(
                f"Encountered list at level: {MAX_RANK}, deeper than supported"
            )
        if not value:
            break
        value = value[0]
    return shape


def is_base64(value):
    """Whether an object is `{"b64": "..."}`."""
    return len(value) == 1 and isinstance(value.get("b64"), str)


def type_error(value, dtype):
    types = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    kind = str(value) if isinstance(value, bool) else types.get(type(value), "Number")
    return invalid_error(
        f"JSON Value: {excerpt(value)} Type: {kind} is not of expected type: {dtype}"
    )


def encode_string(value):
    if isinstance(value, dict):
        return decode_base64(value)
    if not isinstance(value, str):
        raise type_error(value, "string")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise invalid_error(
            "JSON Parse error: The surrogate pair in string is invalid: "
            f"\\u{ord(error.object[error.start]):x} stands alone."
        ) from None


def decode_base64(value):
    if not is_base64(value):
        raise invalid_error(
            f"JSON Value: {excerpt(value)} not formatted correctly for base64 data"
        )
    letters = "".join(value["b64"].split())
    if "=" not in letters:  # padding is optional
        letters += "=" * (-len(letters) % 4)
    try:
        return base64.b64decode(letters, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        raise invalid_error("Unable to base64 decode") from None


def check_boolean(value):
    if not isinstance(value, bool):
        raise type_error(value, "bool")
    return value


def integer_conversion(dtype):
    name, limits = dtype.__name__, np.iinfo(dtype)
    smallest, largest = int(limits.min), int(limits.max)

    def convert(value):
        if type(value) is not int or not smallest <= value <= largest:
            raise type_error(value, name)
        return value

    return dtype, convert


def float_conversion(dtype, name):
    # All integers up to this one are exact in the dtype.
    exact = 2 ** (np.finfo(dtype).nmant + 1) - 1
    largest = float(np.finfo(dtype).max)

    def convert(value):
        if type(value) not in (int, float):
            raise type_error(value, name)
        if isinstance(value, int) and -(2**63) <= value < 2**64:
            fits = abs(value) <= exact
        else:  # RapidJSON reads integers beyond 64 bits as doubles
            fits = not largest < abs(value) < math.inf
        if not fits:
            raise invalid_error(
                f"Cannot convert JSON value: {excerpt(value)} to {name} without loss "
                "of precision."
            )
        return float(value)

    return dtype, convert


def unknown_conversion(dtype):
    def convert(value):
        raise ServingError(
            "UNIMPLEMENTED",
            f"Conversion of JSON Value: {excerpt(value)} to DataType {dtype}",
        )

    return None, convert


CONVERSIONS = {  # by `DataType`: NumPy dtype, function from JSON to Python values
    1: float_conversion(np.float32, "float"),
    2: float_conversion(np.float64, "double"),
    3: integer_conversion(np.int32),
    4: integer_conversion(np.uint8),
    5: integer_conversion(np.int16),
    6: integer_conversion(np.int8),
    7: (object, encode_string),
    9: integer_conversion(np.int64),
    10: (np.bool_, check_boolean),
    17: integer_conversion(np.uint16),
    22: integer_conversion(np.uint32),
    23: integer_conversion(np.uint64),
}
