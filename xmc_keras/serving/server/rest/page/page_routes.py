"""Routes of the page: its files, labels for a text, search, and corrections."""

import json

import anyio
import numpy as np
from starlette.routing import Route

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.rest.page.page_files import page_files
from xmc_keras.serving.server.rest.page.read_correction import read_correction
from xmc_keras.serving.server.rest.page.same_site import check_same_site
from xmc_keras.serving.server.rest.request_body import read_body
from xmc_keras.serving.server.rest.respond import respond
from xmc_keras.serving.server.serving_error import ServingError

MOST_LABELS = 100  # for a text; a person reads no more
SEARCHES = 4  # at a time
WORDS = {"another `corrections`": "another with --corrections"}


def page_routes(models, max_body_bytes, limiter, corrections=None):
    """The routes of the page.

    - `GET /` is the page, and `GET /page/NAME` are its files.
    - `POST /page/labels` with `{"text": ..., "k": ...}` returns the best k labels as
      `{"version": ..., "labels": [{"name": ..., "title": ..., "score": ...}]}`.
    - `GET /page/search?query=...` returns labels by a part of their name or title, as
      `{"known": ..., "labels": [{"name": ..., "title": ...}]}`. `known` is false for a
      version that does not name its labels.
    - `POST /page/corrections` with `{"text": ..., "labels": [...]}` keeps a correction,
      and returns `{"saved": true}` once it is on disk.

    Args:
        models: `ModelVersions`, or any object with its `name` and `use`.
        max_body_bytes: int. Largest request body.
        limiter: anyio's `CapacityLimiter`, of texts that are computed.
        corrections: optional `CorrectionsFile`. Defaults to `None`: none are kept.

    Returns:
        List of starlette's `Route`.
    """
    files = page_files(models.name, corrections is not None)
    searches = anyio.CapacityLimiter(SEARCHES)

    async def show_page(request):
        return files["page.html"]

    async def read_json(request):
        check_same_site(request)
        body = await read_body(request, max_body_bytes)
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ServingError("INVALID_ARGUMENT", "Expected a JSON object.")
        return found

    async def find_labels(request):
        asked = await read_json(request)
        found = await anyio.to_thread.run_sync(
            rank_labels, models, asked.get("text"), asked.get("k"), limiter=limiter
        )
        return encode(found)

    async def search(request):
        query = request.query_params.get("query", "")

        def find():
            with models.use() as (_, model):
                labels = model.label_search
            return {"known": len(labels) > 0, "labels": labels.find(query)}

        return encode(await anyio.to_thread.run_sync(find, limiter=searches))

    async def keep(request):
        correction = read_correction(await read_json(request))
        if corrections is None:
            raise ServingError(
                "NOT_FOUND",
                "The server keeps no corrections. Start it with --corrections FILE.",
            )
        try:
            # Not limited: each waits for the others' lines anyway.
            await anyio.to_thread.run_sync(corrections.append, correction)
        except BadInput as error:
            raise ServingError("UNAVAILABLE", error.word(WORDS)) from None
        return encode({"saved": True})

    def route(path, answer, method):
        async def endpoint(request):
            return await respond(request, answer(request))

        return Route(path, endpoint, methods=[method])

    return [
        Route("/", show_page),
        route("/page/labels", find_labels, "POST"),
        route("/page/search", search, "GET"),
        route("/page/corrections", keep, "POST"),
        *(file_route(name, file) for name, file in files.items()),
    ]


def rank_labels(models, text, k):
    """The labels of a text, as `POST /page/labels` returns them."""
    if not isinstance(text, str):
        raise ServingError("INVALID_ARGUMENT", 'Expected a string "text".')
    if type(k) is not int or not 1 <= k <= MOST_LABELS:
        raise ServingError(
            "INVALID_ARGUMENT",
            f'Expected "k" between 1 and {MOST_LABELS}. Received: {str(k)[:60]}.',
        )
    # As browsers and TensorFlow Serving write what UTF-8 cannot encode.
    inputs = {"text": np.array([text.encode(errors="replace")], object)}
    with models.use() as (version, model):
        name = "top_k" if "top_k" in model.signatures else "serving_default"
        expected = set(model.signature(name).inputs)
        if "text" not in expected:
            raise ServingError(
                "FAILED_PRECONDITION",
                "Expected a model of texts. Received: one of features, which this page "
                "cannot ask.",
            )
        if "k" in expected:
            inputs["k"] = np.array(k, np.int32)
        found = model.predict(inputs, name)
        names = [label.decode(errors="replace") for label in found["labels"][0][:k]]
        scores = found["scores"][0].tolist()
        titles = model.label_search.titles_of(names)
    labels = [
        {"name": name, "title": title, "score": score}
        for name, title, score in zip(names, titles, scores)
        if name  # a text with fewer than k labels is padded with empty ones
    ]
    return {"version": version, "labels": labels}


def file_route(name, file):
    async def show(request):
        return file

    return Route(f"/page/{name}", show)


def encode(answer):
    return json.dumps(answer, ensure_ascii=False).encode(errors="replace")
