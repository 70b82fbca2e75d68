"""The part of Annif's REST interface that its `http` backend needs.

    GET  /v1/projects                        the model, as a list of one project
    GET  /v1/projects/NAME                   the model, as a project
    POST /v1/projects/NAME/suggest           the labels of a text
    GET  /v1/projects/NAME/vocabulary.csv    the labels that go out, for load-vocab

NAME is the name of the model. Routes and answers are those of Annif's own interface, in
which a project is what a model is here; `vocabulary.csv` is not among them. A request
is a form (`application/x-www-form-urlencoded`) with `text`, and optionally `limit`, the
number of labels, and `threshold`, the least score. Of what Annif sends besides,
`project`, `language` and `metadata_*` are ignored: the path names the model, titles
have one language, and a model reads texts alone. Differences to Annif's interface:

- `limit` is 100 by default, as in the `http` backend; in Annif's interface 10.
- Errors are `{"error": "..."}` as in the rest of this server, without a type and title.
- A text without a letter or digit has no labels.
- Scores that are equal differ in their last bit, see `break_ties`.

Reference: https://api.annif.org/v1/ui/, and `annif/backend/http.py` of
https://github.com/NatLibFi/Annif.
"""

import csv
import datetime
import io
import json
import re
from urllib.parse import parse_qsl, unquote

import anyio
import numpy as np
from starlette.responses import Response

from xmc_keras.serving.server.rest.label_uris import LabelUris
from xmc_keras.serving.server.rest.request_body import read_body
from xmc_keras.serving.server.serving_error import ServingError

ROUTE = re.compile(
    r"/v1/projects(?:/([^/?]+)(?:/(suggest|vocabulary\.csv))?)?/?(?:\?.*)?"
)
FORM = "application/x-www-form-urlencoded"
LIMIT = 100
MOST = 2**31 - 1  # of a signature's k
MAX_FIELDS = 1000
LANGUAGE = re.compile("[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


class AnnifApi:
    """Answers requests below `/v1/projects`.

    Args:
        models: see `build_app`.
        max_body_bytes: see `build_app`.
        limiter: `anyio.CapacityLimiter` of requests that are computed.
        uri_prefix: optional string, see `LabelUris`.
    """

    def __init__(self, models, max_body_bytes, limiter, uri_prefix=None):
        self.models, self.max_body_bytes = models, max_body_bytes
        self.limiter, self.uris = limiter, LabelUris(uri_prefix)

    async def answer(self, request, path):
        """The response to a request.

        Raises:
            ServingError: the request is malformed, or of another project.
        """
        match = ROUTE.fullmatch(path)
        wanted = "POST" if match and match[2] == "suggest" else "GET"
        if match is None or request.method != wanted:
            raise _error(
                "Expected GET of /v1/projects/NAME, or POST of "
                f"/v1/projects/NAME/suggest. Received: {request.method} {path[:200]}"
            )
        body = b""
        if wanted == "POST":
            body = await read_body(request, self.max_body_bytes)
        if match[1] is not None and (name := unquote(match[1])) != self.models.name:
            raise ServingError(
                "NOT_FOUND",
                f"Expected the name of the model, {self.models.name}, as project. "
                f"Received: {name[:200]}",
            )
        if match[2] == "suggest":
            form = read_form(body, request.headers.get("content-type", ""))
            # What takes long is computed in a worker thread.
            return await anyio.to_thread.run_sync(
                self.suggest, form, limiter=self.limiter
            )
        if match[2]:
            language = request.query_params.get("language", "en")
            return await anyio.to_thread.run_sync(
                self.write_vocabulary, language, limiter=self.limiter
            )
        project = self.describe()
        return _json(project if match[1] else {"projects": [project]})

    def describe(self):
        """The model in Annif's words."""
        with self.models.use() as (_, model):
            try:
                seconds = (model.path / "saved_model.pb").stat().st_mtime
                changed = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
                changed = changed.isoformat(timespec="seconds")
            except OSError:  # its folder was deleted since
                changed = None
        return {
            "project_id": self.models.name,
            "name": self.models.name,
            "language": "und",  # undetermined
            "backend": {"backend_id": "xmc_keras"},
            "vocab": None,
            "vocab_language": None,
            "is_trained": True,
            "modification_time": changed,
        }

    def suggest(self, form):
        """The labels of a text, best first, as JSON."""
        with self.models.use() as (_, model):
            signature = model.signatures.get("top_k")
            if signature is None or set(signature.inputs) != {"text", "k"}:
                raise _error(
                    "Expected a model of texts with the signature top_k. Received: "
                    "another one"
                )
            text, limit = form["text"], form["limit"]
            names, scores = [], []
            if limit and any(map(str.isalnum, text)):
                inputs = {"text": np.array([text.encode()], object)}
                inputs["k"] = np.array([min(limit, MOST)], np.int32)
                outputs = model.predict(inputs, "top_k")
                names = [name.decode() for name in outputs["labels"][0]]
                scores = break_ties(outputs["scores"][0]).tolist()
            labels = self.name_labels(model.label_search, names)
        self.uris.check(names)
        results = [
            {"uri": uri, "label": label, "score": score}
            for (uri, label), score in zip(labels, scores)
            if uri is not None and score > 0 and score >= form["threshold"]
        ]
        return _json({"results": results})

    def name_labels(self, labels, names):
        """The URIs and titles of labels, as they go out.

        If a model has titles of labels, those without one have no URI: a vocabulary has
        a title for each of its labels, so they are outside it, and Annif stops at a URI
        that its vocabulary lacks.

        Args:
            labels: `LabelSearch`.
            names: list of strings, empty for no label.

        Returns:
            List of `(uri, label)`. A URI is `None` if there is none, and a label is a
            title, or a name without one.
        """
        found = []
        for name, title in zip(names, labels.titles_of(names)):
            known = title if labels.has_titles else name
            found.append((self.uris.find(name) if known else None, title or name))
        return found

    def write_vocabulary(self, language):
        """The labels that go out, in Annif's CSV of vocabularies."""
        if not LANGUAGE.fullmatch(language):
            raise _error(
                f"Expected a language code such as en. Received: {language[:60]!r}"
            )
        with self.models.use() as (_, model):
            labels = model.label_search
        if not len(labels):
            raise ServingError(
                "NOT_FOUND", "Expected a version with labels.txt. Received: none"
            )
        file = io.StringIO()
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["uri", f"label_{language}"])
        rows.writerows(x for x in self.name_labels(labels, labels.names) if x[0])
        return Response(file.getvalue(), media_type="text/csv; charset=utf-8")


def break_ties(scores):
    """Lowers scores that equal an earlier one by the least that float32 can.

    Annif sorts by scores alone: equal ones would lose the order of the model, and the
    labels that are among the first five would be chosen by chance.

    Args:
        scores: float32 array, not increasing.

    Example:

    >>> broken = break_ties(np.float32([0.5, 0.5, 0.5, 0.25, 0]))
    >>> (np.diff(broken) < 0).tolist(), broken.round(6).tolist()
    ([True, True, True, True], [0.5, 0.5, 0.5, 0.25, 0.0])
    """
    broken = np.array(scores, np.float32)
    for i in range(1, len(broken)):
        broken[i] = min(broken[i], np.nextafter(broken[i - 1], np.float32(0)))
    return broken


def read_form(body, content_type):
    """Parses the form of a request for labels.

    Args:
        body: bytes.
        content_type: string, the header; empty without one.

    Returns:
        Dictionary with `text`, a string; `limit`, an int; and `threshold`, a float.

    Raises:
        ServingError: it is no form, has no text, or a value out of range.

    Example:

    >>> read_form(b"text=A+puzzle+game&limit=5&metadata_title=x", FORM)
    {'text': 'A puzzle game', 'limit': 5, 'threshold': 0.0}
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in ("", FORM):
        raise _error(f"Expected a form, {FORM}. Received: {kind[:100]}")
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeDecodeError:
        raise _error("Expected a form in UTF-8. Received: other bytes") from None
    except ValueError:
        raise _error(
            f"Expected a form of at most {MAX_FIELDS} fields. Received: more"
        ) from None
    form = dict(pairs)
    if "text" not in form:
        names = ", ".join(form)[:200] or "no field"
        raise _error(f"Expected a form with the field text. Received: {names}")
    limit = form.get("limit", str(LIMIT))
    if not re.fullmatch("[0-9]{1,18}", limit):
        raise _error(f"Expected limit to be a number from 0. Received: {limit[:60]!r}")
    try:
        threshold = float(form.get("threshold", 0))
    except ValueError:
        threshold = -1.0
    if not 0 <= threshold <= 1:
        raise _error(
            "Expected threshold to be a number from 0 to 1. Received: "
            f"{form['threshold'][:60]!r}"
        )
    return {"text": form["text"], "limit": int(limit), "threshold": threshold}


def _json(value):
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, media_type="application/json")


def _error(message):
    return ServingError("INVALID_ARGUMENT", message)
