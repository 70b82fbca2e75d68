"""TensorFlow Serving's REST interface for one model, on starlette.

It follows tensorflow_model_server, whose recorded requests and responses are in
tests/helpers/golden.jsonl and golden_more.jsonl. All known differences are
intentional:

- `GET /` and `HEAD /` return a page for people who tag, which asks for more below
  `/page/`; TensorFlow Serving returns 404.
- Below `/v1/projects` is Annif's interface, see `annif_api.py`.
- One model is served, without version labels: `/labels/x:predict` returns 400
  `Unrecognized servable version label`, as TensorFlow Serving does without labels.
- `:classify` and `:regress` always return 400: they require tf.Example features,
  which these models do not have.
- A body larger than `max_body_bytes`, compressed or decompressed, returns 413;
  TensorFlow Serving limits only decompressed bodies. The 400 for a damaged gzip body
  names the damage.
- A body that is not UTF-8 returns 400; TensorFlow Serving passes such bytes to the
  model. Both accept any bytes as `{"b64": ...}`.
- If an object has a key twice, the last value counts; in TensorFlow Serving the first.
- A number out of range for its integer type returns 400; TensorFlow Serving wraps it
  around.
- Lists may be nested 32 levels deep, and JSON as deep as Python's parser allows;
  deeper nesting returns 400.
- An output string that is not UTF-8 returns 400, unless the output's name ends with
  `_bytes`; TensorFlow Serving responds with invalid JSON.
- Responses are compact JSON. Messages show at most 200 characters of a value, and
  their wording may differ.
- Metadata leaves out `__saved_model_init_op`, which cannot be called.
- `HEAD` is answered with the headers of the whole response, its length among them.
- Requests never time out, and there is no CORS option. `OPTIONS` works the same.
- Metrics are always on. They count only REST `:predict` requests to the served model,
  so that invented names do not fill the memory.
- Requests that are not HTTP do not get here: uvicorn answers them in plain text. To it
  a request of HTTP/1.1 without `Host` is one of them, 400; TensorFlow Serving answers.

It is meant for development and small scale. Use TensorFlow Serving in production.
"""

import re
from urllib.parse import unquote

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xmc_keras.serving.server.rest.annif_api import AnnifApi
from xmc_keras.serving.server.rest.page.page_routes import page_routes
from xmc_keras.serving.server.rest.request_body import inflate, read_body
from xmc_keras.serving.server.rest.respond import internal_error, respond
from xmc_keras.serving.server.rest.rest_metrics import CONTENT_TYPE, RestMetrics
from xmc_keras.serving.server.rest.tfs_answer import (
    encode_metadata,
    encode_response,
    encode_status,
)
from xmc_keras.serving.server.rest.tfs_json import decode_request
from xmc_keras.serving.server.serving_error import ServingError

METRICS = "/monitoring/prometheus/metrics"
# The patterns of http_rest_api_util.cc, matched against the raw path and query.
PREFIX = re.compile("/v1/.*", re.I)
PROJECTS = re.compile("/v1/projects([/?].*)?")  # of Annif
NAME = "/v1/models/([^/:]+)"
VERSION = r"(?:/versions/([0-9]+)|/labels/([^/:]+))?"
PREDICTION = re.compile(f"{NAME}{VERSION}:(classify|regress|predict)", re.I)
INFORMATION = re.compile(f"/v1/models(?:/([^/:]+))?{VERSION}(/metadata)?", re.I)
# Methods that TensorFlow Serving's HTTP library knows.
METHODS = set("GET HEAD POST PUT DELETE OPTIONS TRACE CONNECT PATCH".split())
ABSOLUTE = re.compile(rb"https?://[^/]*", re.I)
ERROR_PAGE = """<HTML><HEAD>
<TITLE>{status} {reason}</TITLE>
</HEAD><BODY>
<H1>{reason}</H1>
</BODY></HTML>
"""


def build_app(models, max_body_bytes, threads, corrections=None, uri_prefix=None):
    """Builds the REST interface of a model, with its metrics and its page.

    Args:
        models: `ModelVersions`, or any object with its `name`, `use` and `states`.
        max_body_bytes: integer. Largest request body, compressed or decompressed.
        threads: integer. Requests that are computed concurrently; the rest wait.
        corrections: optional `CorrectionsFile`. Where the page keeps corrections.
            Defaults to `None`: the page takes none.
        uri_prefix: optional string, see `LabelUris`.

    Returns:
        An ASGI application.
    """
    metrics = RestMetrics(models)
    rest = RestApi(models, max_body_bytes, threads, metrics, uri_prefix)

    def show_metrics(request):
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE})

    app = Starlette(
        routes=[
            *page_routes(models, max_body_bytes, rest.limiter, corrections),
            Route(METRICS, show_metrics),
            Route("/{path:path}", rest),
        ],
        exception_handlers={404: not_found, Exception: internal_error},
    )

    async def route(scope, receive, send):
        # HTTP/1.1 also allows `GET http://host/path`.
        if scope["type"] == "http" and (match := ABSOLUTE.match(scope["raw_path"])):
            path = scope["raw_path"][match.end() :] or b"/"
            scope = {**scope, "raw_path": path, "path": unquote(path.decode("latin-1"))}
        await app(scope, receive, send)

    return route


class RestApi:
    """ASGI application for all paths below `/v1/`. Arguments: see `build_app`."""

    def __init__(self, models, max_body_bytes, threads, metrics, uri_prefix=None):
        self.models = models
        self.max_body_bytes = max_body_bytes
        self.limiter = anyio.CapacityLimiter(threads)
        self.metrics = metrics
        self.annif = AnnifApi(models, max_body_bytes, self.limiter, uri_prefix)

    async def __call__(self, scope, receive, send):
        response = await self.respond(Request(scope, receive))
        await response(scope, receive, send)

    async def respond(self, request):
        path = request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"].decode("latin-1"):
            path += f"?{query}"
        if request.method not in METHODS:
            return error_page(501, "Not Implemented")
        if not PREFIX.fullmatch(path):
            return not_found()
        if request.method == "OPTIONS":
            origin = request.headers.get("origin", "")
            status = 200 if re.match("https?://.", origin) else 400
            headers = {"content-type": "text/html; charset=ISO-8859-1"}
            return Response(status_code=status, headers=headers)
        answer = self.annif.answer if PROJECTS.fullmatch(path) else self.answer
        return await respond(request, answer(request, path))

    async def answer(self, request, path):
        if request.method == "POST" and (match := PREDICTION.fullmatch(path)):
            name, version, label, method = match.groups()
            if method in (
                "classify",
                "regress",
                "predict",
            ):  # not :PREDICT
                target = Target(name, version, label)
                return await self.compute(request, target, method)
        if request.method == "GET" and (match := INFORMATION.fullmatch(path)):
            name, version, label, metadata = match.groups()
            if not name:
                raise invalid_error("Missing model name in request.")
            target = Target(name, version, label)
            return self.metadata(target) if metadata else self.status(target)
        raise invalid_error(f"Malformed request: {request.method} {path}")

    async def compute(self, request, target, method):
        body = await read_body(request, self.max_body_bytes)
        self.check(target)
        if method != "predict":
            raise invalid_error(
                f"Expected :predict. Received: :{method}, which needs "
                "tf.Example features that this model does not have."
            )
        packed = "gzip" in request.headers.get("content-encoding", "").lower()
        with self.metrics.predict():
            # The JSON of thousands of texts would block the event loop for too long:
            # it is parsed and written in the worker thread.
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
        """Version states; a label is ignored, as in TensorFlow Serving."""
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
        """Rejects requests that no version can answer."""
        if target.label is not None:
            raise invalid_error(f"Unrecognized servable version label: {target.label}")
        if target.name != self.models.name:
            wanted = f"Latest({target.name})"
            if target.version is not None:
                wanted = f"Specific({target.name}, {target.version})"
            message = f"Servable not found for request: {wanted}"
            raise ServingError("NOT_FOUND", message)


class Target:
    """The model and version that a path refers to, from its raw parts.

    Raises:
        ServingError: the version is not a 64-bit number.
    """

    def __init__(self, name, version, label):
        self.name = unquote(name)
        self.label = None if label is None else unquote(label)
        self.version = None
        if version is not None:
            # The length comes first: `int` is slow for millions of digits. TensorFlow
            # Serving gives no reason.
            if len(version) > 4000 or int(version) >= 2**63:
                raise invalid_error("")
            self.version = int(version)


def invalid_error(message):
    return ServingError("INVALID_ARGUMENT", message)


def not_found(request=None, error=None):
    return error_page(404, "Not Found")


def error_page(status, reason):
    page = ERROR_PAGE.format(status=status, reason=reason)
    # Not media_type: starlette would add a charset to it.
    return Response(page, status, headers={"content-type": "text/html"})
