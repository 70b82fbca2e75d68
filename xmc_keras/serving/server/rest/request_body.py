"""Request bodies, read and decompressed within a size limit."""

import zlib

from xmc_keras.serving.server.serving_error import ServingError


class BodyTooLarge(ServingError):
    """A request body over the limit: HTTP status 413, unknown to TensorFlow Serving."""

    def __init__(self, limit):
        super().__init__(
            "RESOURCE_EXHAUSTED",
            f"Expected a request body of at most {limit} bytes. Send fewer texts per "
            "request, or start the server with a larger limit.",
        )


async def read_body(request, limit):
    """Reads a request body as it arrives.

    A client that is still sending would see a broken connection instead of the
    response, so up to `limit` more bytes are read and discarded.

    Args:
        request: starlette's `Request`.
        limit: integer, bytes.

    Returns:
        Bytes, still compressed.

    Raises:
        BodyTooLarge: the body is too large, or declares that it will be.
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
    """Decompresses a gzip body.

    Args:
        body: bytes. One gzip member.
        limit: integer. Maximum decompressed size in bytes; no more is decompressed.

    Returns:
        Bytes.

    Raises:
        BodyTooLarge: the decompressed body would be larger.
        ServingError: the body is not gzip, truncated, or has trailing data.

    Example:

    >>> import gzip
    >>> inflate(gzip.compress(b"{}"), limit=2)
    b'{}'
    """
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        found = decompressor.decompress(body, limit + 1)
    except zlib.error as error:
        raise damaged_error(error) from None
    if len(found) > limit:
        raise BodyTooLarge(limit)
    if not decompressor.eof or decompressor.unused_data:
        raise damaged_error("a truncated body, or one with trailing data")
    return found


def damaged_error(reason):
    return ServingError("INVALID_ARGUMENT", f"Expected a gzip body. Received: {reason}")
