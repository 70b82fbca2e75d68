import base64
import json
import math
import time
import types

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.serving.server.rest.tfs_answer import (
    HTTP_STATUS,
    encode_error,
    encode_response,
    encode_status,
)
from xmc_keras.serving.server.rest.tfs_json import decode_request
from xmc_keras.serving.server.serving_error import ServingError

# Values of `DataType` in types.proto, which is the wire format.
FLOAT, DOUBLE, INT32, UINT8, STRING, INT64, BOOL = 1, 2, 3, 4, 7, 9, 10
UINT32, UINT64, HALF = 22, 23, 19


def signature(**dtypes):
    """The parts of a `SignatureDef` that decoding reads."""
    inputs = {name: types.SimpleNamespace(dtype=dtypes[name]) for name in dtypes}
    return types.SimpleNamespace(inputs=inputs)


SIGNATURES = {
    "serving_default": signature(text=STRING),
    "top_k": signature(text=STRING, k=INT32),
    "floats": signature(x=FLOAT),
    "doubles": signature(x=DOUBLE),
    "int32": signature(x=INT32),
    "uint8": signature(x=UINT8),
    "int64": signature(x=INT64),
    "uint32": signature(x=UINT32),
    "uint64": signature(x=UINT64),
    "bools": signature(x=BOOL),
    "halves": signature(x=HALF),
    "nothing": signature(),
}


def decode(body):
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    body = body.encode() if isinstance(body, str) else body
    return decode_request(body, SIGNATURES)


def column(values, name="floats"):
    _, inputs, _ = decode({"signature_name": name, "inputs": values})
    return inputs["x"]


def refused(body):
    """The error that a body is rejected with."""
    with pytest.raises(ServingError) as caught:
        decode(body)
    return caught.value


TEXTS = np.array([b"a", b"b"], object)


@pytest.mark.parametrize(
    "body, row_format",
    [
        ({"instances": ["a", "b"]}, True),
        ({"instances": [{"text": "a"}, {"text": "b"}]}, True),
        ({"instances": [{"b64": "YQ=="}, {"b64": "Yg"}]}, True),
        ({"instances": [{"text": {"b64": "Y Q\n=="}}, {"text": "b"}]}, True),
        ({"inputs": ["a", "b"]}, False),
        ({"inputs": {"text": ["a", "b"]}}, False),
        ({"inputs": {"text": ["a", {"b64": "Yg=="}], "more": 1}}, False),
        ({"signature_name": "", "instances": ["a", "b"], "more": 1}, True),
        ('\ufeff\n {"instances": ["a", "b"]} and then {', True),
        (r'{"instances": ["\u0061", "b"], "more": NaN}', True),
    ],
)
def test_forms_of_one_input(body, row_format):
    name, inputs, found_format = decode(body)
    assert (name, found_format) == ("serving_default", row_format)
    assert inputs.keys() == {"text"}
    assert inputs["text"].dtype == object
    np.testing.assert_array_equal(inputs["text"], TEXTS)


def test_forms_of_two_inputs():
    rows = [{"text": "a", "k": 1}, {"k": 2, "text": "b"}]
    name, inputs, row_format = decode({"signature_name": "top_k", "instances": rows})
    assert (name, row_format) == ("top_k", True)
    np.testing.assert_array_equal(inputs["text"], TEXTS)
    np.testing.assert_array_equal(inputs["k"], np.array([1, 2], np.int32))
    columns = {"text": ["a", "b"], "k": 2}
    _, inputs, row_format = decode({"signature_name": "top_k", "inputs": columns})
    assert not row_format
    assert (inputs["k"].shape, inputs["k"].dtype, inputs["k"]) == ((), np.int32, 2)


@pytest.mark.parametrize(
    "values, shape",
    [
        ("a", ()),
        ({"b64": "YQ"}, ()),
        ([], (0,)),
        ([[], []], (2, 0)),
        ([["a"], ["b"]], (2, 1)),
        ([[[{"b64": "YQ"}, "b"]]], (1, 1, 2)),
    ],
)
def test_shape_is_that_of_the_lists(values, shape):
    _, inputs, _ = decode({"inputs": values})
    assert inputs["text"].shape == shape
    if shape and shape[0]:
        _, rows, _ = decode({"instances": values})
        np.testing.assert_array_equal(rows["text"], inputs["text"])


def test_any_bytes_come_through_base64():
    raw = bytes(range(256))
    body = {"inputs": [{"b64": base64.b64encode(raw).decode()}, "\0é😀"]}
    assert list(decode(body)[1]["text"]) == [raw, b"\0\xc3\xa9\xf0\x9f\x98\x80"]


def test_numbers():
    found = column([0.1, 3, -16777215, 1e38, 2**100])
    expected = np.array([0.1, 3, -16777215, 1e38, 2.0**100], np.float32)
    np.testing.assert_array_equal(found, expected, strict=True)
    special = '{"signature_name": "floats", "inputs": [NaN, Infinity, -Infinity]}'
    expected = np.array([math.nan, math.inf, -math.inf], np.float32)
    np.testing.assert_array_equal(decode(special)[1]["x"], expected)
    for name, dtype in [
        ("int32", np.int32),
        ("uint8", np.uint8),
        ("int64", np.int64),
        ("uint32", np.uint32),
        ("uint64", np.uint64),
    ]:
        limits = [int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)]
        np.testing.assert_array_equal(
            column(limits, name), np.array(limits, dtype), strict=True
        )
        for beyond in (limits[0] - 1, limits[1] + 1, 1.0, "1", True, None):
            error = refused({"signature_name": name, "inputs": [beyond]})
            assert "is not of expected type" in error.message
    np.testing.assert_array_equal(column([True, False], "bools"), [True, False])


@pytest.mark.parametrize(
    "body, message",
    [
        (b"", "The document is empty"),
        (b" \n ", "The document is empty"),
        (b"[]", "Is not object"),
        (b'"a"', "Is not object"),
        (b"{", "JSON Parse error"),
        (b'{"instances": ["a"', "JSON Parse error"),
        (b'{"instances": ["\xff"]}', "not UTF-8 at offset: 16"),
        (rb'{"instances": ["\ud800"]}', "surrogate"),
        (rb'{"instances": [{"\udc00": "a"}]}', "does not have named input"),
        (rb'{"signature_name": "\udc00", "instances": ["a"]}', "not found"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b'{"inputs": ' + b"[" * 40 + b"]" * 40 + b"}", "deeper than supported"),
        (b'{"signature_name": "floats", "inputs": 1e999}', "too big"),
        (b'{"inputs": 1' + b"0" * 5000 + b"}", "too big"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": [], "instances": []}, "only one of"),
        ({"signature_name": 3, "instances": ["a"]}, "must be a string value"),
        ({"signature_name": "none", "instances": ["a"]}, '"none" not found'),
        ({"signature_name": "nothing", "instances": ["a"]}, "Failed to get input map"),
        ({"instances": "a"}, "Expecting 'instances' to be an list/array"),
        ({"instances": []}, "No values in 'instances' array"),
        ({"instances": ["a", {"text": "b"}]}, "got object at item 1"),
        ({"instances": [{"text": "a"}, "b"]}, "got list at item 1"),
        ({"instances": [{"text": "a"}, {"b64": "YQ"}]}, "got list at item 1"),
        ({"instances": [{}]}, "{} keys must be equal to: text"),
        ({"instances": [{"text": "a", "x": 1}]}, "element: 0 key: x of"),
        ({"instances": ["a", ["b"]]}, "Expecting shape [] but got: [1]"),
        ({"instances": [["a", "b"], ["c"]]}, "Expecting tensor size: 2 but got: 1"),
        ({"instances": [[["a"], "b"]]}, "found at incorrect level: 2"),
        ({"instances": [["a", ["b"]]]}, "list at unexpected level: 1 expected < 1"),
        ({"instances": [{"b64": "***"}]}, "Unable to base64 decode"),
        ({"instances": [{"b64": "é"}]}, "Unable to base64 decode"),
        ({"instances": [{"b64": "YQ="}]}, "Unable to base64 decode"),
        ({"inputs": [{"b64": 1}]}, "not formatted correctly for base64"),
        ({"instances": [None]}, "null Type: Null is not of expected type: string"),
        ({"instances": [True]}, "true Type: True is not of expected type: string"),
        ({"inputs": {"text": [1.5]}}, "1.5 Type: Number is not"),
        ({"inputs": {"txt": ["a"]}}, "Missing named input: text in 'inputs'"),
        ({"inputs": [["a", "b"], ["c"]]}, "size: 1 at level: 1 expected size: 2"),
        ({"signature_name": "top_k", "inputs": ["a"]}, "expecting an object"),
        ({"signature_name": "top_k", "instances": ["a"]}, "expecting list of objects"),
        ({"signature_name": "top_k", "instances": [{"b64": "YQ"}]}, "list of objects"),
        ({"signature_name": "floats", "inputs": [2**24]}, "without loss of precision"),
        ({"signature_name": "doubles", "inputs": [2**53]}, "without loss of precision"),
        ({"signature_name": "floats", "inputs": [1e39]}, "without loss of precision"),
        ({"signature_name": "floats", "inputs": [10**400]}, "without loss"),
        ({"signature_name": "floats", "inputs": [True]}, "expected type: float"),
        ({"signature_name": "floats", "inputs": [{"b64": "YQ"}]}, "Type: Object"),
        ({"signature_name": "bools", "inputs": [1]}, "expected type: bool"),
    ],
)
def test_what_is_refused(body, message):
    error = refused(body)
    assert message in error.message
    assert error.code == "INVALID_ARGUMENT"
    assert len(error.message) < 1000
    assert json.loads(encode_error(error.message)).keys() == {"error"}


def test_types_without_a_json_form():
    error = refused({"signature_name": "halves", "inputs": [1.5]})
    assert HTTP_STATUS[error.code] == 501


def test_a_message_shows_the_beginning_of_a_value():
    error = refused({"instances": "x" * 10**6})
    assert len(error.message) < 300
    assert 'JSON Value: {"instances": "xxx' in error.message


def test_time_is_linear_in_the_number_of_texts():
    def seconds(count):
        body = json.dumps({"instances": [f"text {i}" for i in range(count)]}).encode()
        times = []
        for _ in range(3):
            start = time.process_time()
            decode(body)
            times.append(time.process_time() - start)
        return min(times)

    assert seconds(40_000) < 60 * seconds(2_000)  # 400 times if it were quadratic


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["text", "k", "x", "b64", "é"]), inner)
    ),
    max_leaves=8,
)
DOCUMENTS = ANY_JSON | st.fixed_dictionaries(
    {},
    optional={
        "instances": ANY_JSON,
        "inputs": ANY_JSON,
        "signature_name": st.sampled_from(list(SIGNATURES)) | ANY_JSON,
    },
)


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS.map(lambda x: json.dumps(x).encode()) | st.binary())
def test_any_body_is_read_or_refused(body):
    try:
        name, inputs, _ = decode(body)
    except ServingError as error:
        assert HTTP_STATUS[error.code] in (400, 501)
        assert isinstance(json.loads(encode_error(error.message))["error"], str)
    else:
        assert inputs.keys() == SIGNATURES[name].inputs.keys()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(), min_size=1), st.booleans(), st.booleans(), st.data())
def test_texts_come_through_whole(texts, row_format, named, data):
    def said(raw):
        try:
            if data.draw(st.booleans()):
                return raw.decode()
        except UnicodeDecodeError:
            pass
        return {"b64": base64.b64encode(raw).decode()}

    values = [said(raw) for raw in texts]
    if row_format:
        body = {"instances": [{"text": x} for x in values] if named else values}
    else:
        body = {"inputs": {"text": values} if named else values}
    body = json.dumps(body, ensure_ascii=data.draw(st.booleans()))
    name, inputs, found_format = decode(body)
    assert (name, found_format) == ("serving_default", row_format)
    assert list(inputs["text"]) == texts


# === Responses ===


def answer(outputs, row_format=True):
    return json.loads(encode_response(outputs, row_format))


LABELS = np.array([["a", "é😀"], ["\0", '"\\']], object)
OUTPUTS = {
    "labels": np.vectorize(str.encode, otypes=[object])(LABELS),
    "scores": np.array([[0.1, 1], [3e-8, 0.673588872]], np.float32),
}


def test_rows_and_columns():
    rows = answer(OUTPUTS)
    assert rows == {
        "predictions": [
            {"labels": ["a", "é😀"], "scores": [0.1, 1.0]},
            {"labels": ["\0", '"\\'], "scores": [3e-8, 0.6735889]},
        ]
    }
    columns = answer(OUTPUTS, row_format=False)
    assert columns == {
        "outputs": {
            "labels": LABELS.tolist(),
            "scores": [[0.1, 1.0], [3e-8, 0.6735889]],
        }
    }
    assert "é😀".encode() in encode_response(OUTPUTS, True)


def test_one_output_has_no_name():
    one = {"labels": OUTPUTS["labels"]}
    assert answer(one) == {"predictions": LABELS.tolist()}
    assert answer(one, row_format=False) == {"outputs": LABELS.tolist()}


def test_no_rows():
    none = {name: values[:0] for name, values in OUTPUTS.items()}
    assert answer(none) == {"predictions": []}
    assert answer(none, row_format=False) == {"outputs": {"labels": [], "scores": []}}


def test_scalars_have_columns_only():
    outputs = {"a": b"x\0", "b": np.float32(2), "c": np.int64(2**60)}
    expected = {"outputs": {"a": "x\0", "b": 2.0, "c": 2**60}}
    assert answer(outputs, row_format=False) == expected
    with pytest.raises(ServingError, match="a has no shape information"):
        encode_response(outputs, True)


def test_names_that_end_in_bytes_are_base64():
    outputs = {"raw_bytes": np.array([b"\xff", b"a"], object)}
    assert answer(outputs) == {"predictions": [{"b64": "/w=="}, {"b64": "YQ=="}]}


@pytest.mark.parametrize(
    "outputs, message",
    [
        ({}, "empty tensor map"),
        ({"a": np.ones(2), "b": np.ones(3)}, "b has inconsistent batch size: 3"),
        ({"labels": np.array([b"\xff"], object)}, "labels holds a string that is not"),
        ({"scores": np.ones(2, np.float16)}, "tensor type: float16"),
        ({"scores": np.ones(2, np.complex64)}, "tensor type: complex64"),
    ],
)
def test_answers_that_cannot_be_written(outputs, message):
    with pytest.raises(ServingError, match=message) as caught:
        encode_response(outputs, True)
    assert HTTP_STATUS[caught.value.code] == 400


def test_numbers_are_written_by_their_shortest_digits():
    x = np.array([0.1, 1, -0.0, 1e20, 1 / 3, np.nan, np.inf, -np.inf], np.float32)
    expected = b"[0.1,1.0,-0.0,1e+20,0.33333334,NaN,Infinity,-Infinity]"
    assert encode_response({"x": x}, False) == b'{"outputs":%s}' % expected
    x = np.array([0.1, 1 / 3])
    assert encode_response({"x": x}, False) == b'{"outputs":[0.1,0.3333333333333333]}'
    x = np.array([True, False])
    assert encode_response({"x": x}, False) == b'{"outputs":[true,false]}'


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32, allow_nan=False)))
def test_scores_come_through_bit_for_bit(scores):
    scores = np.array(scores, np.float32)
    found = np.array(answer({"x": scores}, False)["outputs"], np.float32)
    np.testing.assert_array_equal(found, scores)


def test_status():
    states = [
        types.SimpleNamespace(
            version=2, state="END", error_code="UNKNOWN", error_message="no file"
        ),
        types.SimpleNamespace(
            version=1, state="AVAILABLE", error_code="OK", error_message=""
        ),
    ]
    found = json.loads(encode_status(states))["model_version_status"]
    assert found[0] == {
        "version": "2",
        "state": "END",
        "status": {"error_code": "UNKNOWN", "error_message": "no file"},
    }
    assert found[1]["state"] == "AVAILABLE"
