"""The body of a request, held within a limit."""

import zlib

from xmc_keras.serving.server.serving_error import ServingError


class BodyTooLarge(ServingError):
    """The one error whose HTTP status, 413, is no status of TensorFlow Serving's."""

    def __init__(self, limit):
        super().__init__(
            "RESOURCE_EXHAUSTED",
            f"Expected a request body of at most {limit} bytes. Send fewer texts in a "
            "request, or start the server with a larger limit.",
        )


async def read_body(request, limit):
    """Reads a request's body while it comes in.

    A client that is still sending would not see an answer, but a connection that
    broke: up to `limit` bytes more are read and thrown away.

    Args:
        request: starlette's `Request`.
        limit: integer, bytes.

    Returns:
        Bytes, as sent.

    Raises:
        BodyTooLarge: it is, or says that it will be.
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) < 20 and int(length) > 2 * limit:
        raise BodyTooLarge(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > 2 * limit:
            break
    if size > limit:
        raise BodyTooLarge(limit)
    return b"".join(chunks)


def inflate(body, limit):
    """Unpacks a gzip body.

    Args:
        body: bytes. One gzip member.
        limit: integer. Bytes that it may unpack to; no more are unpacked.

    Returns:
        Bytes.

    Raises:
        BodyTooLarge: it would unpack to more.
        ServingError: it is not gzip, or cut off.

    Example:

    >>> import gzip
    >>> inflate(gzip.compress(b"{}"), limit=2)
    b'{}'
    """
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise damaged_error(error) from None
    if len(found) > limit:
        raise BodyTooLarge(limit)
    if not unpacker.eof or unpacker.unused_data:
        raise damaged_error("it is cut off, or has something behind it")
    return found


def damaged_error(reason):
    return ServingError("INVALID_ARGUMENT", f"Expected a gzip body. Received: {reason}")
