"""Client of a model server."""

import http.client
import json
from urllib.parse import quote, urlsplit

from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.list_texts import list_texts

KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
REST_URL = "http://127.0.0.1:8501"


class Client:
    """Asks a model on a server, over REST or gRPC.

    Calls do not share a connection, so that threads may share a client.

    Args:
        address: string. `"http://host:8501"` for REST, or `"host:8500"` for gRPC,
            which imports TensorFlow.
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
            texts: sequence of strings, its input `text`. An empty list gives an empty
                dictionary without a call: a server that batches would keep it waiting
                for the next request.
            signature: string. Defaults to `"serving_default"`.
            **inputs: the other inputs of the signature: numbers, strings, lists.

        Returns:
            Dictionary of the signature's outputs, as lists; for a signature with one
            output that list itself.

        Raises:
            BadInput: the server cannot be reached, or refuses the request.
        """
        texts = list_texts(texts)
        if not texts:
            return {}
        return self._call({"text": texts, **inputs}, signature)

    def recommend(self, texts, k=None):
        """Recommends `[(label, score), ...]`, best first, for each text.

        Rows are shorter where a text has fewer candidates.

        Args:
            texts: sequence of strings.
            k: optional integer. Labels per text, by the signature `top_k`. Defaults to
                the `k` of the export.
        """
        texts = list_texts(texts)
        if not texts:
            return []
        # One k per text: a server that batches refuses one for all.
        more = {} if k is None else {"signature": "top_k", "k": [k] * len(texts)}
        return self._pair(texts, self.predict(texts, **more))

    def select(self, texts, threshold=None):
        """Recommends the labels whose scores reach a threshold, by `select`.

        Args:
            texts: sequence of strings.
            threshold: optional float from 0 to 1. Defaults to that of the export.

        Returns:
            For each text a list of `(label, score)`, best first, which may be empty.
        """
        texts = list_texts(texts)
        if not texts:
            return []
        least = -1.0 if threshold is None else float(threshold)
        found = self.predict(texts, "select", threshold=[least] * len(texts))
        return self._pair(texts, found)

    def _pair(self, texts, found):
        """The labels and scores of each text, without pads."""
        try:
            return [
                # The model pads rows with "".
                [pair for pair in zip(labels, scores, strict=True) if pair[0]]
                for _, labels, scores in zip(
                    texts, found["labels"], found["scores"], strict=True
                )
            ]
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                "Expected a model with the outputs labels and scores, one row per "
                f"text. Received: another answer from {self.address}."
            ) from None

    def _rest(self, inputs, signature):
        version = "" if self.version is None else f"/versions/{self.version}"
        path = f"/v1/models/{quote(self.name, safe='')}{version}:predict"
        body = json.dumps({"signature_name": signature, "inputs": inputs})
        status, answer = send(self.address, "POST", path, self.timeout, body)
        try:
            answer = json.loads(answer)
        except ValueError:
            answer = {}
        answer = answer if isinstance(answer, dict) else {}
        if "outputs" in answer:
            return answer["outputs"]
        reason = answer.get("error", "not the answer of a model")
        raise refused_error(self.address, f"HTTP {status}, {reason}")

    def _grpc(self, inputs, signature):
        try:
            from xmc_keras.serving.grpc_predict import predict_over_grpc
        except ModuleNotFoundError as error:
            raise BadInput(
                f"Expected the packages of gRPC. Received: no {error.name}.",
                remedy="Run: pip install 'xmc-keras[serve]'",
            ) from None
        try:
            return predict_over_grpc(
                self.address, self.name, self.version, inputs, signature, self.timeout
            )
        except ConnectionError as error:
            raise refused_error(self.address, str(error)) from None


def send(url, method, path, timeout, body=None):
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
        raise refused_error(url, f"{reason}. Is the server running there?") from None
    finally:
        connection.close()


def refused_error(address, reason):
    return BadInput(f"Expected an answer from {address}. Received: {reason}")
