"""Loading and warm-up of a version of a model."""

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import check_digests
from xmc_keras.serving.server.answer_request import answer_request
from xmc_keras.serving.server.served_model import ServedModel, serving_error
from xmc_keras.serving.server.serving_error import ServingError

DIGESTS_FILE = "assets.extra/digests.json"
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000  # the limit of TensorFlow Serving


def load_version(path):
    """Loads a version and replays its warm-up requests, as TensorFlow Serving does.

    Loading does not detect an op that this TensorFlow lacks, only a request does. So
    the warm-up prevents such a version from being served.

    Args:
        path: string or path. Folder of the version. Its warm-up requests are in
            `assets.extra/tf_serving_warmup_requests`, a TFRecord file of
            `PredictionLog`; only Predict requests are replayed.

    Returns:
        `ServedModel`.

    Raises:
        ServingError: the version cannot be loaded, a file is not as it was exported, a
            warm-up request fails, or there are more than 1000 of them.
    """
    check_version(path)
    try:
        model = ServedModel(path)
        try:
            _warm_up(model, Path(path, WARMUP_FILE))
        except BaseException:
            model.close()
            raise
    except FileNotFoundError as error:
        raise ServingError("NOT_FOUND", str(error)) from None
    except DecodeError:
        message = f"Can't parse {path}/saved_model.pb as binary proto"
        raise ServingError("DATA_LOSS", message) from None
    except tf.errors.OpError as error:
        raise serving_error(error) from None
    except (OSError, ValueError) as error:  # from the session's loader
        raise ServingError("UNKNOWN", str(error)) from None
    return model


def check_version(path):
    """Raises `ServingError` if a file of a version is not as it was exported.

    TensorFlow compares checksums of the weights only. Versions of other programs, and
    those of earlier releases, have no digests and pass.
    """
    try:
        check_digests(path, DIGESTS_FILE)
    except BadInput as error:
        raise ServingError("DATA_LOSS", str(error)) from None


def _warm_up(model, path):
    if not path.is_file():
        return
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    for number, record in enumerate(records, 1):
        if number > MAX_RECORDS:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at "
                f"{path}",
            )
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.HasField("predict_log"):
                answer_request(model, log.predict_log.request)
        except DecodeError:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"Failed to parse warmup record {number} from {path}",
            ) from None
        except ServingError as error:
            raise ServingError(
                error.code, f"Warmup record {number} of {path}: {error.message}"
            ) from None
