"""Milliseconds a document of a prediction, and the label side's share of them.

    python benchmarks/speed/predict.py --json
    python benchmarks/speed/predict.py --torch .torch/bin/python
    python benchmarks/speed/predict.py --run runs/quickstart

The first two ask a LightXML of random heads in the shape of Amazon-670K (see
`train_step.py`, whose options these are), for one document and for 16 at a time, in
turns with its encoder alone. The third asks the SavedModel of a run for documents of
Debian-24K's test part, one at a time: as they are; each with words added until it has
--tokens, which a transformer's texts are cut to, as if all were padded to one length;
and one word, whose time is what does not depend on the length, most of it for reading
the weights. `tokens` is their median, of a model that reads words their number.
--form stores the weights as `export/saved_model.py --precision` does.
"""

import json
import sys
import tempfile
import time

import numpy as np

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.export_forms import save_form
from benchmarks.shared.figures import table
from benchmarks.shared.sides import ROOT, spread, take_turns
from benchmarks.speed.train_step import PACKAGES, parser_of, shape_of, sides_of
from xmc_keras.data.documents import read_documents

sys.path.insert(0, str(ROOT / "export"))

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
    """Latency of single documents as they are and at full length, in turns."""
    from xmc_keras.runs.run_folder import RunFolder
    from xmc_keras.serving.server.served_model import ServedModel
    from xmc_keras.text.ngrams import split_words
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
    parser = parser_of(__doc__)
    parser.add_argument("--run", help="a finished run folder")
    parser.add_argument(
        "--form", choices=("float32", "float16"), default="float32", help="of weights"
    )
    main(parser.parse_args())
