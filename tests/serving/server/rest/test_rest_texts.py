import base64
import json

import numpy as np

from tests.helpers.rest_server import (
    in_process,
    post,
    same,
)

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "naïve café",
    "e\u0301 and é",
    "日本語の文章",
    "שלום עולם",
    "مرحبا",
    "👩‍👩‍👧‍👦 😀",
    "\ufeff\u200b\u202e\u2028",
    "\U0010ffff\uffff",
    '\\u0000 "quoted" </script>',
    "\x01\x1f\x7f\x85",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
]


def test_texts_of_every_kind(port, model):
    expected = in_process(model, TEXTS)
    assert len({tuple(row["labels"]) for row in expected}) > 5  # labels differ
    for ascii_only in (True, False):
        body = json.dumps({"instances": TEXTS}, ensure_ascii=ascii_only)
        same(post(port, body).json["predictions"], expected)
    found = post(port, {"inputs": {"text": TEXTS}}).json["outputs"]
    same([dict(zip(found, row)) for row in zip(*found.values())], expected)


def test_bytes_that_are_no_text(port, model):
    raw = [b"\xff\xfe", b"\x80", b"\xc3", b"\xed\xa0\x80", bytes(range(256))]
    body = {"instances": [{"b64": base64.b64encode(x).decode()} for x in raw]}
    same(post(port, body).json["predictions"], in_process(model, raw))
    found = post(port, b'{"instances": ["\xff"]}')
    assert (found.status, list(found.json)) == (400, ["error"])


def test_half_of_a_surrogate_pair(port):
    for body in [
        r'{"instances": ["\ud83d"]}',
        r'{"signature_name": "\udc00", "instances": ["a"]}',
        r'{"instances": [{"\ud800": "a"}]}',
    ]:
        found = post(port, body)
        assert (found.status, list(found.json)) == (400, ["error"])


def test_a_text_of_a_megabyte(port, model):
    text = "é" * 2**19
    body = json.dumps({"instances": [text]}, ensure_ascii=False)
    same(post(port, body).json["predictions"], in_process(model, [text]))


def test_ten_thousand_texts(port, model):
    texts = [f"text {i}" for i in range(10_000)]
    found = post(port, {"instances": texts})
    same(found.json["predictions"], in_process(model, texts))


def test_labels_per_request(port):
    body = {"signature_name": "top_k", "inputs": {"text": ["a"], "k": 100}}
    assert np.shape(post(port, body).json["outputs"]["labels"]) == (1, 10)
    body = {"signature_name": "labels_only", "instances": ["a", "b"]}
    assert np.shape(post(port, body).json["predictions"]) == (2, 5)
    for k in (-1, [], 2**40, "2", 1.5, None):
        body = {"signature_name": "top_k", "inputs": {"text": ["a"], "k": k}}
        assert post(port, body).status == 400
