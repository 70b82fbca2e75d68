"""TensorFlow Serving's REST interface for one model, on starlette.

The contract is that of tensorflow_model_server: tests/golden.jsonl holds recorded
requests and answers of it. These differences are kept on purpose, and are all that
are known:

- `GET /` is a page where a person types a text; there it is 404.
- One model is served, without version labels: `/labels/x:predict` answers 400
  `Unrecognized servable version label`, as there when none is configured.
- `:classify` and `:regress` always answer 400: they ask for tf.Example features,
  which these models do not have.
- A body of more than `max_body_bytes`, as sent or unpacked, answers 413; there only
  unpacked bodies have a limit. A gzip body that is damaged says so in its 400.
- A body that is not UTF-8 answers 400; there such bytes reach the model. Both take
  any bytes by `{"b64": ...}`.
- A key that an object has twice counts with its last value, there with its first.
- A number that its integer type does not hold answers 400; there it wraps around.
- Lists in lists: 32 levels, and JSON as deep as Python's parser goes; else 400.
- A string of an output that is not UTF-8 answers 400, unless the output's name ends
  with `_bytes`; there the answer is no valid JSON.
- Answers are compact JSON. Messages show at most 200 characters of a value, and
  their wording may differ.
- Metadata leaves out `__saved_model_init_op`, which nobody can ask.
- No request times out, and there is no CORS option. `OPTIONS` answers the same.
- Metrics are always on; they count REST `:predict` of the model served only, so that
  made-up names do not fill the memory.
- What is not HTTP never comes here: uvicorn answers it, in plain text.

It is for development and small scale. TensorFlow Serving is the production path.
"""

import logging
import re
from urllib.parse import unquote

import anyio
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from xmc_keras.serving.server.rest.page_response import page_response
from xmc_keras.serving.server.rest.request_body import BodyTooLarge, inflate, read_body
from xmc_keras.serving.server.rest.rest_metrics import CONTENT_TYPE, RestMetrics
from xmc_keras.serving.server.rest.tfs_answer import (
    HTTP_STATUS,
    encode_error,
    encode_metadata,
    encode_response,
    encode_status,
)
from xmc_keras.serving.server.rest.tfs_json import decode_request
from xmc_keras.serving.server.serving_error import ServingError

logger = logging.getLogger(__name__)

METRICS = "/monitoring/prometheus/metrics"
# As http_rest_api_util.cc has them; matched against the path and query as sent.
PREFIX = re.compile("/v1/.*", re.I)
NAME = "/v1/models/([^/:]+)"
VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
PREDICTION = re.compile(f"{NAME}{VERSION}:(classify|regress|predict)", re.I)
INFORMATION = re.compile(f"/v1/models(?:/([^/:]+))?{VERSION}(/metadata)?", re.I)
NOT_FOUND = """<HTML><HEAD>
<TITLE>404 Not Found</TITLE>
</HEAD><BODY>
<H1>Not Found</H1>
</BODY></HTML>
"""


def build_app(models, max_body_bytes, threads):
    """The REST interface of a model, its metrics and its page.

    Args:
        models: `ModelVersions`, or anything with its `name`, `use` and `states`.
        max_body_bytes: integer. The largest body of a request, as sent and unpacked.
        threads: integer. Requests that are computed at a time; the rest wait.

    Returns:
        A starlette application.
    """
    metrics = RestMetrics(models)
    page = page_response(models.name)

    async def show_page(request):
        return page

    def show_metrics(request):
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE})

    return Starlette(
        routes=[
            Route("/", show_page),
            Route(METRICS, show_metrics),
            Route("/{path:path}", RestApi(models, max_body_bytes, threads, metrics)),
        ],
        exception_handlers={404: not_found, Exception: internal_error},
    )


class RestApi:
    """All below `/v1/`, as an ASGI application. Arguments: see `build_app`."""

    def __init__(self, models, max_body_bytes, threads, metrics):
        self.models = models
        self.max_body_bytes = max_body_bytes
        self.limiter = anyio.CapacityLimiter(threads)
        self.metrics = metrics

    async def __call__(self, scope, receive, send):
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request):
        path = request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"].decode("latin-1"):
            path += f"?{query}"
        if not PREFIX.fullmatch(path):
            return not_found()
        if request.method == "OPTIONS":
            origin = request.headers.get("origin", "")
            status = 200 if re.match("https?://.", origin) else 400
            headers = {"content-type": "text/html; charset=ISO-8859-1"}
            return Response(status_code=status, headers=headers)
        try:
            return as_json(await self.answer(request, path))
        except BodyTooLarge as error:
            return as_json(encode_error(error.message), 413)
        except ServingError as error:
            status = HTTP_STATUS.get(error.code, 500)
            return as_json(encode_error(error.message), status)
        except ClientDisconnect:
            return Response(status_code=HTTP_STATUS["CANCELLED"])  # nobody reads it
        except Exception:
            logger.exception("%s %s failed", request.method, path)
            return internal_error()

    async def answer(self, request, path):
        if request.method == "POST" and (match := PREDICTION.fullmatch(path)):
            name, version, label, method = match.groups()
            if method in ("classify", "regress", "predict"):  # not :PREDICT
                target = Target(name, version, label)
                return await self.compute(request, target, method)
        if request.method == "GET" and (match := INFORMATION.fullmatch(path)):
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid("Missing model name in request.")
            target = Target(name, version, label)
            return self.metadata(target) if metadata else self.status(target)
        raise invalid(f"Malformed request: {request.method} {path}")

    async def compute(self, request, target, method):
        body = await read_body(request, self.max_body_bytes)
        self.check(target)
        if method != "predict":
            raise invalid(
                f"Expected :predict. Received: :{method}, which needs "
                "tf.Example features that this model does not have."
            )
        packed = "gzip" in request.headers.get("content-encoding", "").lower()
        with self.metrics.predict():
            # Reading and writing the JSON of thousands of texts takes longer than
            # an event loop may stand still: all of it is done in the worker.
            return await anyio.to_thread.run_sync(
                self.predict, body, packed, target.version, limiter=self.limiter
            )

    def predict(self, body, packed, version):
        if packed:
            body = inflate(body, self.max_body_bytes)
        with self.models.use(version) as (_, model):
            name, inputs, row_format = decode_request(body, model.signatures)
            outputs = model.predict(inputs, name)
        return encode_response(outputs, row_format)

    def metadata(self, target):
        self.check(target)
        with self.models.use(target.version) as (version, model):
            return encode_metadata(self.models.name, version, model.signatures)

    def status(self, target):
        """States of the versions; a label is ignored, as TensorFlow Serving does."""
        states = self.models.states() if target.name == self.models.name else []
        if target.version is not None:
            states = [s for s in states if s.version == target.version]
        if not states:
            version = f"version {target.version}"
            if target.version is None:
                version = "any versions"
            message = f"Could not find {version} of model {target.name}"
            raise ServingError("NOT_FOUND", message)
        return encode_status(states)

    def check(self, target):
        """Refuses what no version can answer."""
        if target.label is not None:
            raise invalid(f"Unrecognized servable version label: {target.label}")
        if target.name != self.models.name:
            asked = f"Latest({target.name})"
            if target.version is not None:
                asked = f"Specific({target.name}, {target.version})"
            message = f"Servable not found for request: {asked}"
            raise ServingError("NOT_FOUND", message)


class Target:
    """Which model a path means, from its parts as sent.

    Raises:
        ServingError: the version is no 64-bit number.
    """

    def __init__(self, name, version, label):
        self.name = unquote(name)
        self.label = None if label is None else unquote(label)
        self.version = None
        if version is not None:
            # The length first: Python takes its time over millions of digits.
            if len(version) > 4000 or int(version) >= 2**63:
                message = f"Failed to convert version: {version[:30]} to numeric."
                raise invalid(message)
            self.version = int(version)


def invalid(message):
    return ServingError("INVALID_ARGUMENT", message)


def as_json(body, status=200):
    return Response(body, status, media_type="application/json")


def not_found(request=None, error=None):
    # Not media_type: starlette would add a charset to it.
    return Response(NOT_FOUND, 404, headers={"content-type": "text/html"})


def internal_error(request=None, error=None):
    return as_json(encode_error("Internal error: see the server's log."), 500)
