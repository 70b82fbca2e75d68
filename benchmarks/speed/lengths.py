"""Documents per second in batches by length, against batches of one fixed length.

    python -m benchmarks.speed.lengths --json lengths.json
    python -m benchmarks.speed.lengths data/debian24k --tokens 128 --documents 1600

One LightXML (MiniLM-L6, heads for the number of labels of the data; their weights and
clusters are arbitrary, since time depends on neither) trains and predicts on documents
drawn from the training part of the data. `by length` pads a batch to its longest
document, as all commands do by default; `fixed` pads it to --tokens, as `fixed_padding:
true` does. After a pass that is not counted, in which kernels are compiled for the
shapes, both take turns, one batch each, until each has seen every document once.
`documents_s` is documents over seconds, which include the wait for data. `tokens` is
the mean length of the documents; --tokens over it is about the highest possible ratio.
"""

import os
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import ROOT, circumstances
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
)
from benchmarks.shared.random_batches import rectangle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xmc_keras.data.documents import read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet

PACKAGES = ("tensorflow", "keras", "keras-nlp", "numpy")


def in_turns(batches, step):
    """Seconds of `step(iterator)` for each side of `batches`, which take turns."""
    iterators = {}
    for name, side in batches.items():
        iterators[name] = iter(side.dataset())
        for _ in range(len(side)):
            step(iterators[name])
        iterators[name] = iter(side.dataset())
    seconds = dict.fromkeys(batches, 0.0)
    for _ in range(max(map(len, batches.values()))):
        for name, iterator in iterators.items():
            start = time.perf_counter()
            step(iterator)
            seconds[name] += time.perf_counter() - start
    return seconds


def sample(documents, count, tokenizer):
    """Tokens and label matrix of `count` documents drawn at random."""
    from xmc_keras.data.token_cache import TokenCache

    chosen = np.random.default_rng(0).choice(len(documents), count, replace=False)
    drawn = documents.subset(chosen)
    label_set = LabelSet.from_labels(documents.labels)
    return TokenCache(*tokenizer(drawn.texts)), label_set.encode(drawn.labels)


def measured(arguments, documents):
    """The figures, as a dictionary."""
    import keras
    import tensorflow as tf

    from xmc_keras.config.config import Config
    from xmc_keras.data.document_batches import DocumentBatches
    from xmc_keras.encoders.pretrained import load_encoder
    from xmc_keras.lightxml.build import build_model, build_optimizer
    from xmc_keras.text.text_tokenizer import TextTokenizer

    keras.utils.set_random_seed(0)
    backbone, bert = load_encoder("minilm")
    tokenizer = TextTokenizer(bert, arguments.tokens)
    tokens, labels = sample(documents, arguments.documents, tokenizer)
    num_clusters = -(-labels.shape[1] // Config.max_leaf)
    config = Config(data="any", encoder="minilm", max_tokens=arguments.tokens)
    clusters = rectangle(labels.shape[1], num_clusters)
    model = build_model(config, backbone, bert, clusters, None)
    model.compile(build_optimizer(config, 10**6), jit_compile=config.jit_compile)

    def sides(label_matrix, batch, shuffle):
        lengths = {"by length": None, "fixed": arguments.tokens}
        return {
            name: DocumentBatches(
                tokens,
                label_matrix,
                batch,
                tokenizer.pad_id,
                shuffle,
                pad_multiple=config.pad_multiple,
                fixed_length=length,
            )
            for name, length in lengths.items()
        }

    def train(iterator):
        float(model.train_function(iterator)["loss"])

    training = sides(labels, arguments.batch, True)
    prediction = sides(None, arguments.predict_batch, False)

    # Same as in `recommend`: `model.predict` traces a graph for the first few shapes.
    @tf.function(input_signature=[prediction["fixed"].dataset().element_spec])
    def ask(x):
        x = {name: x[name] for name in ("token_ids", "padding_mask")}
        return model.rank(model.encoder(x, training=False))["predicted_ids"]

    def predict(iterator):
        ask(next(iterator)).numpy()

    model(next(training["fixed"].batches())[0])
    model.make_train_function()
    rows = []
    for work, batches, step in (
        ("training", training, train),
        ("prediction", prediction, predict),
    ):
        seconds = in_turns(batches, step)
        for name, spent in seconds.items():
            row = {"work": work, "batches": name}
            row["documents_s"] = round(len(tokens) / spent, 1)
            row["ratio to fixed"] = round(seconds["fixed"] / spent, 2)
            rows.append(row)
    return {"tokens": round(float(tokens.lengths.mean()), 1), "measured": rows}


def main(arguments):
    make_place(arguments.json)
    settings = {k: v for k, v in vars(arguments).items() if k != "json"}
    settings["data_folder"] = Path(arguments.data_folder).resolve().name
    documents = read_documents(arguments.data_folder, "train")
    if len(documents) < arguments.documents:
        raise BadInput(
            f"Expected {arguments.documents} documents or more. Received: "
            f"{len(documents)}. Lower --documents.",
            arguments.data_folder,
        )
    found = {"settings": settings, **measured(arguments, documents)}
    print(keep(found | circumstances(PACKAGES), arguments.json))


if __name__ == "__main__":
    parser = benchmark_parser("speed.lengths", __doc__)
    folder = ROOT / "data" / "debian24k"
    parser.add_argument("data_folder", nargs="?", default=folder, metavar="DATA_FOLDER")
    add_integers(
        parser,
        [
            ("tokens", 128, 3, "most tokens of a document"),
            ("documents", 1600, 1, "documents for each side"),
            ("batch", 16, 1, "documents per training step"),
            ("predict-batch", 64, 1, "documents per batch of prediction"),
        ],
    )
    add_json(parser)
    try:
        main(parser.parse_args())
    except BadInput as error:
        parser.exit(2, f"error: {error}\n")
