"""Time in which an exported version gets ready: loading it, and the first calls.

    python -m benchmarks.speed.start_up exports/quickstart

FOLDER holds the version folders of an export; the newest is measured. Each round is a
new process that loads the version into a session of TensorFlow, as TensorFlow Serving
does, and answers its warm-up requests. It is measured with TensorFlow's default
options, those of a server without flags, and with those of export/serving/
session.config. Figures are seconds of processor time, medians of the rounds, so that
other work on the machine counts little. `later` is one more call of each signature, all
together, the mean of 20.
"""

import multiprocessing
import os
import statistics
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import find_versions

OPTIONS = {"default": "", "session.config": ROOT / "export/serving/session.config"}
LATER = 20
PACKAGES = ("tensorflow", "tensorflow-text")


def measure(path, options, results):
    """Puts the seconds of each step into the queue `results`."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 (registers ops)
    from google.protobuf import text_format
    from tensorflow_serving.apis import prediction_log_pb2

    text = Path(options).read_text() if options else ""
    config = text_format.Parse(text, tf.compat.v1.ConfigProto())
    seconds = {}

    def timed(name, function, *arguments):
        start = time.process_time()
        found = function(*arguments)
        seconds[name] = seconds.get(name, 0) + time.process_time() - start
        return found

    session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
    tags = [tf.saved_model.SERVING]
    load = tf.compat.v1.saved_model.load
    signatures = timed("load", load, session, tags, str(path)).signature_def
    calls = {}
    warm_up = path / "assets.extra/tf_serving_warmup_requests"
    for record in tf.data.TFRecordDataset(str(warm_up)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        request = log.predict_log.request
        name = request.model_spec.signature_name
        if name not in calls:
            signature = signatures[name]
            inputs = signature.inputs.items()
            call = session.make_callable(
                [info.name for info in signature.outputs.values()],
                [info.name for _, info in inputs],
            )
            values = [tf.make_ndarray(request.inputs[key]) for key, _ in inputs]
            calls[name] = call, values
            timed(name, call, *values)
    start = time.process_time()
    for _ in range(LATER):
        for call, values in calls.values():
            call(*values)
    seconds["later"] = (time.process_time() - start) / LATER
    results.put(seconds)


def run(path, options):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=measure, args=(path, options, results))
    process.start()
    while True:
        if not results.empty() or process.exitcode is not None:
            break
        time.sleep(0.1)
    if results.empty():
        raise BadInput("Expected a version that loads. Received: another one.", path)
    seconds = results.get()
    process.join()
    return seconds


def main(arguments):
    folder = Path(arguments.folder)
    found = find_versions(folder) if folder.is_dir() else {}
    if not found:
        raise BadInput("Expected a folder with version folders.", folder)
    make_place(arguments.json)
    path = found[max(found)]
    rounds = [
        {name: run(path, options) for name, options in OPTIONS.items()}
        for _ in range(arguments.rounds)
    ]
    rows = []
    for name in OPTIONS:
        steps = {
            step: round(statistics.median(r[name][step] for r in rounds), 3)
            for step in rounds[0][name]
        }
        ready = round(sum(steps.values()) - steps["later"], 3)
        rows.append({"options": name, **steps, "ready": ready})
    print(table(rows))
    figures = {"export": folder.resolve().name, "rounds": arguments.rounds}
    keep(figures | circumstances(PACKAGES) | {"measured": rows}, arguments.json)


if __name__ == "__main__":
    parser = benchmark_parser("speed.start_up", __doc__)
    parser.add_argument("folder", metavar="FOLDER", help="holds versions 1, 2, ...")
    add_integers(parser, [("rounds", 3, 1, "new processes for each")])
    add_json(parser)
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
