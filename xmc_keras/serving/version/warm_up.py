"""Warm-up requests, which a server replays when it loads a version."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from xmc_keras.serving.server.load_version import WARMUP_FILE


def make_warm_up_requests(one, several, labels):
    """Makes at least one request for each signature.

    They are not only for speed, but also a check: a server that lacks an op of the
    graph fails here, while it loads the version, and keeps serving the previous one.

    Args:
        one, several: dictionaries of inputs from `ServingModule.inputs_of`: of one
            document, and of several short and long ones.
        labels: list of strings. At least two known labels.

    Returns:
        List of `PredictRequest`.
    """
    # One k per text: a server with batching rejects inputs without a batch dimension.
    k = np.ones(1, np.int32)
    return [
        _request("serving_default", **one),
        _request("serving_default", **several),
        _request("top_k", **one, k=k),
        _request("select", **one, threshold=-np.ones(1, np.float32)),
        _request("score", **one, labels=np.array([labels], object)),
        _request("embed", **one),
    ]


def write_warm_up(requests, version_folder):
    """Writes the requests into a version folder."""
    path = Path(version_folder, WARMUP_FILE)
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString())


def _request(signature, **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request
