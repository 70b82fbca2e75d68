"""From texts to batches: time to tokenise, and how long a step waits for its batch.

    python -m benchmarks.speed.data
    python -m benchmarks.speed.data data/debian24k --step 0.25 --busy --json data.json

`build_s` is the time to tokenise both parts on all cores and to write the token caches,
`read_s` the time to find them again and read every token; the start of TensorFlow is
not counted. The training part then goes through `DocumentBatches.dataset()` twice: one
epoch as fast as possible (`documents_s`), and some batches for a consumer that sleeps
after each one for as long as a training step takes (--step). `waited` is the share of
its time that it waits for a batch, without the first one (`first_s`, where the pipeline
starts). A consumer that sleeps leaves the processor to the pipeline, as a GPU does;
with --busy it multiplies matrices on all cores instead, as a step on a CPU does.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    above_zero,
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xmc_keras.data.documents import read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet

PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")


def sleeping(seconds):
    """A step that leaves the processor idle."""
    return lambda: time.sleep(seconds)


def busy(seconds):
    """A step that keeps all cores busy."""
    factor = np.ones((1000, 1000), np.float32)

    def step():
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            np.dot(factor, factor)

    return step


def waits(batches, step, steps):
    """Takes a batch, then a step, `steps` times; returns the seconds of each wait."""
    seconds, batches = [], iter(batches)
    for _ in range(steps):
        start = time.perf_counter()
        if next(batches, None) is None:
            break
        seconds.append(time.perf_counter() - start)
        step()
    return seconds


def share_waited(seconds, step_s):
    """Share of the time that was spent waiting, without the first step."""
    waited = sum(seconds[1:])
    return waited / (waited + step_s * len(seconds[1:]))


def caches(folder, parts, tokenizer):
    """Opens and reads the token cache of each part; returns caches and seconds."""
    from xmc_keras.data.token_cache import TokenCache

    start = time.perf_counter()
    found = [TokenCache.open(folder, part.texts, tokenizer) for part in parts]
    for cache in found:
        cache.token_ids.max()
    return found, time.perf_counter() - start


def measured(arguments, parts):
    """The figures, as a dictionary."""
    from keras_nlp.models import BertTokenizer

    from xmc_keras.data.document_batches import DocumentBatches
    from xmc_keras.encoders.pretrained import find_minilm
    from xmc_keras.text.text_tokenizer import TextTokenizer

    bert = BertTokenizer.from_preset(str(find_minilm()))
    tokenizer = TextTokenizer(bert, arguments.tokens)
    with tempfile.TemporaryDirectory() as folder:
        _, build_s = caches(folder, parts, tokenizer)
        # With a new tokenizer, as in another program.
        (train, test), read_s = caches(
            folder, parts, TextTokenizer(bert, arguments.tokens)
        )
        tokens = len(train.token_ids) + len(test.token_ids)
        found = {
            "documents": len(train) + len(test),
            "tokens": tokens,
            "build_s": round(build_s, 2),
            "tokens_s": round(tokens / build_s),
            "read_s": round(read_s, 2),
        }
        labels = parts[0].labels
        batches = DocumentBatches(
            train,
            LabelSet.from_labels(labels).encode(labels),
            arguments.batch,
            tokenizer.pad_id,
            shuffle=True,
        )
        start = time.perf_counter()
        for _ in batches.dataset():
            pass
        found["documents_s"] = round(len(train) / (time.perf_counter() - start))
        step = (busy if arguments.busy else sleeping)(arguments.step)
        seconds = waits(batches.dataset(), step, arguments.steps)
    found["steps"] = len(seconds)
    found["first_s"] = round(seconds[0], 3)
    found["wait_ms"] = round(1000 * float(np.median(seconds[1:])), 3)
    found["waited"] = round(share_waited(seconds, arguments.step), 4)
    return found


def main(arguments):
    make_place(arguments.json)
    settings = {k: v for k, v in vars(arguments).items() if k != "json"}
    settings["data_folder"] = Path(arguments.data_folder).resolve().name
    found = {"settings": settings, **circumstances(PACKAGES)}
    parts = [read_documents(arguments.data_folder, part) for part in ("train", "test")]
    if len(parts[0]) <= arguments.batch:
        raise BadInput(
            f"Expected two batches or more of {arguments.batch}. Received: "
            f"{len(parts[0])} documents. Lower --batch.",
            arguments.data_folder,
        )
    print(keep(found | measured(arguments, parts), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.data", __doc__)
    folder = ROOT / "data" / "debian24k"
    parser.add_argument("data_folder", nargs="?", default=folder, metavar="DATA_FOLDER")
    add_integers(
        parser,
        [
            ("tokens", 128, 3, "most tokens of a document"),
            ("batch", 16, 1, "documents per step"),
            ("steps", 60, 2, "batches for the consumer"),
        ],
    )
    parser.add_argument(
        "--step",
        type=above_zero("seconds"),
        default=0.5,
        help="seconds per step (0.5)",
        metavar="S",
    )
    parser.add_argument("--busy", action="store_true", help="let a step use all cores")
    add_json(parser)
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
