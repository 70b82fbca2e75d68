"""Prediction time per document, and the share of the labels in it.

    python -m benchmarks.speed.predict --json
    python -m benchmarks.speed.predict --torch .torch/bin/python
    python -m benchmarks.speed.predict --run runs/quickstart

The first two predict with a LightXML with random heads in the shape of Amazon-670K
(options as in `train_step.py`), for one document and for 16 at a time, in turns with
its encoder alone. The third calls the SavedModel of a run on documents of the test part
of Debian-24K, one at a time, in three forms: as they are; extended with words up to the
--tokens that a transformer's texts are cut to, as if all were padded to one length; and
as a single word, whose time is the part that does not depend on length, most of it for
reading the weights. `tokens` is the median number of tokens, or of words for a model
that reads words. --form is the precision of all weights in the export.
"""

import json
import tempfile
import time

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.export_forms import save_form
from benchmarks.shared.figures import table
from benchmarks.shared.sides import spread, take_turns
from benchmarks.speed.train_step import PACKAGES, parser_of, shape_of, sides_of
from xmc_keras.data.documents import read_documents

BATCHES = 1, 16
DOCUMENTS = 300


def of_shape(arguments):
    """A row for each batch size and side."""
    rows = []
    for batch in BATCHES:
        sides = sides_of(arguments, work="predict", batch=batch)
        found = take_turns(sides, arguments.steps, arguments.turns)
        seconds = {name: spread(side["seconds"]) for name, side in found.items()}
        for name, (median, quartiles) in seconds.items():
            row = {"side": name, "batch": batch}
            row["ms_per_document"] = round(1000 * median / batch, 2)
            row["quartiles"] = [round(1000 * s / batch, 2) for s in quartiles]
            alone = seconds.get("encoder alone")
            share = 1 - alone[0] / median if alone and name == "ours" else None
            row["label_share"] = None if share is None else round(share, 3)
            row["peak_gb"] = found[name]["peak_gb"]
            rows.append(row)
    return rows


def of_run(path, max_tokens, form):
    """Latency of single documents: as they are, at full length and of one word."""
    from xmc_keras.runs.run_folder import RunFolder
    from xmc_keras.serving.server.served_model import ServedModel
    from xmc_keras.text.split_words import split_words
    from xmc_keras.text.text_tokenizer import TextTokenizer

    run = RunFolder(path)
    model = run.load_model()
    words = run.config().encoder == "words"
    if not words:
        model.max_tokens = max_tokens
        tokenizer = TextTokenizer(model.tokenizer, max_tokens)
    with tempfile.TemporaryDirectory() as folder:
        save_form(model, folder, (form, form))
        model = ServedModel(folder)
    texts = read_documents(ROOT / "data" / "debian24k", "test").texts
    chosen = np.random.default_rng(0).choice(len(texts), DOCUMENTS, replace=False)
    asked = {
        "as it is": [texts[i] for i in chosen],
        "full length": [texts[i] + " package" * max_tokens for i in chosen],
        "one word": ["package"] * len(chosen),
    }
    if words:
        del asked["full length"]  # nothing is padded
    found = {name: [] for name in asked}
    for of_turn in zip(*asked.values()):
        for name, text in zip(asked, of_turn):
            inputs = {"text": np.array([text.encode("utf-8")], object)}
            start = time.perf_counter()
            model.predict(inputs)
            found[name].append(time.perf_counter() - start)
    model.close()

    def lengths(texts):
        if words:
            return split_words(texts).row_lengths()
        return np.diff(tokenizer(texts)[1])

    return [
        {
            "document": name,
            "tokens": float(np.median(lengths(asked[name]))),
            "p50_ms": round(1000 * float(np.percentile(s, 50)), 2),
            "p95_ms": round(1000 * float(np.percentile(s, 95)), 2),
        }
        for name, s in found.items()
    ]


def main(arguments):
    if arguments.run:
        rows = of_run(arguments.run, arguments.tokens, arguments.form)
        record = {"run": arguments.run, "measured": rows}
    else:
        rows = of_shape(arguments)
        record = {"shape": shape_of(arguments), "measured": rows}
    record |= circumstances(PACKAGES)
    print(json.dumps(record) if arguments.json else table(rows))


if __name__ == "__main__":
    parser = parser_of("speed.predict", __doc__)
    parser.add_argument("--run", help="a finished run folder")
    parser.add_argument(
        "--form",
        choices=("float32", "float16"),
        default="float32",
        help="precision of weights",
    )
    main(parser.parse_args())
