"""JSON responses: an answer, or the error that came instead."""

import logging

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from xmc_keras.serving.server.rest.request_body import BodyTooLarge
from xmc_keras.serving.server.rest.tfs_answer import HTTP_STATUS, encode_error
from xmc_keras.serving.server.serving_error import ServingError

logger = logging.getLogger(__name__)


async def respond(request, answer):
    """The response with an answer, or with the error that computing it raises.

    Args:
        request: starlette's `Request`.
        answer: awaitable of the JSON of the answer, bytes, or of a `Response`.
    """
    try:
        found = await answer
        return found if isinstance(found, Response) else json_response(found)
    except BodyTooLarge as error:
        return json_response(encode_error(error.message), 413)
    except ServingError as error:
        status = HTTP_STATUS.get(error.code, 500)
        body = encode_error(error.message) if error.message else b""
        return json_response(body, status)
    except ClientDisconnect:
        return Response(status_code=HTTP_STATUS["CANCELLED"])  # no one reads it
    except Exception:
        path = request.scope["raw_path"].decode("latin-1")
        logger.exception("%s %s failed", request.method, path)
        return internal_error()


def json_response(body, status=200):
    """A response of JSON, from bytes."""
    return Response(body, status, media_type="application/json")


def internal_error(request=None, error=None):
    """The response to a request that failed by a fault of the server."""
    return json_response(encode_error("Internal error: see the server's log."), 500)
