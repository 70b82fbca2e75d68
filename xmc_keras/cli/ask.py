"""Label names and scores from a server, by REST or gRPC.

    python export/client.py "A terminal text editor" "A puzzle game" --name quickstart
    python export/client.py -k 10 --json --url http://host:8501 < texts.txt
    python export/client.py "A puzzle game" --grpc --url host:8500 --name quickstart

Texts are arguments, or lines of standard input. With --json one JSON object a text:
{"text": ..., "labels": [...], "scores": [...]}, best label first.

The server is export/serve.py or TensorFlow Serving. serve.py tells its model's name,
so that --name may be left out; by gRPC, and with TensorFlow Serving, it is needed.
"""

import http.client
import itertools
import json
import os
import re
import sys
from urllib.parse import quote, unquote, urlsplit

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser
from xmc_keras.files.text_file import text_lines

CHUNK = 256  # texts in a request
KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
REST_URL, GRPC_ADDRESS = "http://127.0.0.1:8501", "127.0.0.1:8500"


class Client:
    """Asks a model on a server.

    Calls do not share a connection, so that threads may share a client.

    Args:
        address: string. `"http://host:8501"` is asked by REST, `"host:8500"` by gRPC
            (which imports TensorFlow).
        name: string. The model's name.
        version: optional integer. Defaults to the version that the server prefers.
        timeout: float. Seconds to wait for an answer. Defaults to `30.0`.

    Example:

    >>> client = Client("http://127.0.0.1:8501", "quickstart")
    >>> client.recommend([])
    []
    """

    def __init__(self, address, name, version=None, timeout=30.0):
        self.address = address.rstrip("/")
        self.name = name
        self.version = version
        self.timeout = timeout
        self._call = self._rest if "://" in address else self._grpc

    def predict(self, texts, signature="serving_default", **inputs):
        """Runs a signature.

        Args:
            texts: list of strings, its input `text`. An empty list is answered with
                an empty dictionary and without a call: a server that batches would
                keep it waiting for the next request.
            signature: string. Defaults to `"serving_default"`.
            **inputs: the other inputs of the signature: numbers, strings, lists.

        Returns:
            Dictionary of the signature's outputs, as lists; of a signature with one
            output that list itself.

        Raises:
            BadInput: the server cannot be reached, or refuses the request.
        """
        if not texts:
            return {}
        return self._call({"text": list(texts), **inputs}, signature)

    def recommend(self, texts, k=None):
        """Gives `[(label, score), ...]`, best first, for each text.

        Rows are shorter where a text has fewer candidates.

        Args:
            texts: list of strings.
            k: optional integer. Labels a text, by the signature `top_k`. Defaults to
                what the model was exported with.
        """
        if not texts:
            return []
        more = {} if k is None else {"signature": "top_k", "k": k}
        found = self.predict(texts, **more)
        try:
            return [
                # The model fills rows up with "".
                [pair for pair in zip(labels, scores, strict=True) if pair[0]]
                for _, labels, scores in zip(
                    texts, found["labels"], found["scores"], strict=True
                )
            ]
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                "Expected a model with the outputs labels and scores, of one row a "
                f"text. Received: another answer from {self.address}."
            ) from None

    def _rest(self, inputs, signature):
        version = "" if self.version is None else f"/versions/{self.version}"
        path = f"/v1/models/{quote(self.name, safe='')}{version}:predict"
        body = json.dumps({"signature_name": signature, "inputs": inputs})
        status, answer = ask(self.address, "POST", path, self.timeout, body)
        try:
            answer = json.loads(answer)
        except ValueError:
            answer = {}
        answer = answer if isinstance(answer, dict) else {}
        if "outputs" in answer:
            return answer["outputs"]
        reason = answer.get("error", "not the answer of a model")
        raise refused(self.address, f"HTTP {status}, {reason}")

    def _grpc(self, inputs, signature):
        try:
            from xmc_keras.serving.grpc_predict import predict_over_grpc
        except ModuleNotFoundError as error:
            raise BadInput(
                f"Expected the libraries of gRPC. Received: no {error.name}. Install "
                "them: pip install '.[serve]'"
            ) from None
        try:
            return predict_over_grpc(
                self.address, self.name, self.version, inputs, signature, self.timeout
            )
        except ConnectionError as error:
            raise refused(self.address, str(error)) from None


def ask(url, method, path, timeout, body=None):
    """One HTTP request. Returns status and body."""
    try:
        parts = urlsplit(url)
        kind = KINDS[parts.scheme if parts.hostname else None]
        connection = kind(parts.hostname, parts.port, timeout=timeout)
    except (KeyError, ValueError):
        raise BadInput(f"Expected a URL like {REST_URL}. Received: {url}.") from None
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, f"{parts.path}{path}", body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        reason = "no HTTP"  # whatever it is that was received
        if isinstance(error, (OSError, UnicodeError)):
            reason = getattr(error, "strerror", None) or str(error)
        raise refused(url, f"{reason}. Is the server running there?") from None
    finally:
        connection.close()


def refused(address, reason):
    return BadInput(f"Expected an answer from {address}. Received: {reason}")


def name_told_by(url, timeout):
    """The model's name, from the form on the page of export/serve.py."""
    _, page = ask(url, "GET", "/", timeout)
    if match := re.search(rb'action="v1/models/([^"]+):predict"', page):
        return unquote(match[1].decode())
    raise BadInput(
        f"Expected {url} to tell the name of its model, as export/serve.py does. "
        "Received: no name. Give it with --name."
    )


def for_people(text, found):
    line = " ".join(text.split())
    line = line if len(line) <= 80 else f"{line[:77]}..."
    return "\n".join([line, *(f"  {score:.4f}  {label}" for label, score in found), ""])


def as_json(text, found):
    """As trainers/predict.py prints it."""
    labels, scores = [x for x, _ in found], [round(score, 6) for _, score in found]
    answer = {"text": text, "labels": labels, "scores": scores}
    return json.dumps(answer, ensure_ascii=False)


def main(argv=None):
    parser = command_parser("ask", __doc__)
    parser.add_argument("texts", nargs="*", help="texts (standard input, line by line)")
    parser.add_argument("--url", help=f"({REST_URL}, or {GRPC_ADDRESS} with --grpc)")
    parser.add_argument("--name", help="the model's name (what the server tells)")
    parser.add_argument("--version", type=int, help="the model's version (newest)")
    parser.add_argument("--grpc", action="store_true", help="ask by gRPC")
    parser.add_argument("-k", type=int, help="labels a text (as exported)")
    parser.add_argument("--json", action="store_true", help="one JSON object a text")
    parser.add_argument("--timeout", type=float, default=30, help="in seconds (30)")
    # Intermixed, so that texts may stand behind options.
    args = parser.parse_intermixed_args(argv)
    if args.k is not None and args.k < 1:
        raise BadInput(f"Expected -k of at least 1. Received: {args.k}.")
    if args.grpc and not args.name:
        raise BadInput("Expected --name with --grpc. Received: none.")
    url = args.url or (GRPC_ADDRESS if args.grpc else REST_URL)
    if args.grpc:
        url = url.removeprefix("http://").rstrip("/")
        if "://" in url:
            raise BadInput(f"Expected --url host:port with --grpc. Received: {url}.")
    elif "://" not in url:
        url = f"http://{url}"
    texts = text_lines("argument", map(os.fsencode, args.texts))
    if not args.texts:
        texts = text_lines("standard input", sys.stdin.buffer)
    shown = as_json if args.json else for_people
    client = None
    while chunk := list(itertools.islice(texts, CHUNK)):
        if client is None:
            name = args.name or name_told_by(url, args.timeout)
            client = Client(url, name, args.version, args.timeout)
        for text, found in zip(chunk, client.recommend(chunk, args.k)):
            print(shown(text, found), flush=True)
