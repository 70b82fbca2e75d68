import gzip
import http.client
import json

import pytest

from tests.helpers.rest_server import (
    LIMIT,
    PREDICT,
    in_process,
    post,
    same,
)
from xmc_keras.serving.server.rest.request_body import BodyTooLarge, inflate
from xmc_keras.serving.server.serving_error import ServingError


def padded(size):
    """A valid body of exactly `size` bytes."""
    body = b'{"instances": ["a"]}'
    return body + b" " * (size - len(body))


def test_body_limit(port):
    assert post(port, padded(LIMIT)).status == 200
    # Sent whole, and rejected immediately by its Content-Length.
    for size in (LIMIT + 1, 2 * LIMIT):
        found = post(port, padded(size))
        assert found.status == 413
        assert f"at most {LIMIT} bytes" in found.json["error"]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", PREDICT)
    connection.putheader("Content-Length", str(10**15))
    connection.endheaders(b"{")
    assert connection.getresponse().status == 413
    connection.close()


def test_body_limit_without_content_length(port):
    def chunks(size):
        whole = padded(size)
        return (whole[i : i + 2**16] for i in range(0, size, 2**16))

    def send(size):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("POST", PREDICT, chunks(size), encode_chunked=True)
        status = connection.getresponse().status
        connection.close()
        return status

    assert send(LIMIT) == 200
    assert send(LIMIT + 1) == 413
    assert post(port, {"instances": ["a"]}).status == 200


def test_gzip(port, model):
    texts = ["a", "naïve café", "日本語の文章" * 1000, ""]
    body = gzip.compress(json.dumps({"instances": texts}).encode())
    found = post(port, body, **{"Content-Encoding": "gzip"})
    same(found.json["predictions"], in_process(model, texts))
    assert post(port, body).status == 400  # not declared as gzip


def test_gzip_that_is_damaged_or_a_bomb(port):
    packed = gzip.compress(padded(LIMIT + 1))
    assert len(packed) < LIMIT / 500
    for body, status in [(packed, 413), (packed[:-1], 413), (b"{}", 400), (b"", 400)]:
        found = post(port, body, **{"Content-Encoding": "gzip"})
        assert (found.status, list(found.json)) == (status, ["error"])


def test_inflating_stops_at_the_limit():
    packed = gzip.compress(b"a" * 1000)
    assert inflate(packed, 1000) == b"a" * 1000
    with pytest.raises(BodyTooLarge, match="at most 999 bytes"):
        inflate(packed, 999)


# Without a time stamp: names of tests must not differ between processes.
PACKED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"", b"{}", PACKED[:-1], PACKED + b"x"])
def test_damaged_gzip(body):
    with pytest.raises(ServingError, match="Expected a gzip body"):
        inflate(body, 100)
