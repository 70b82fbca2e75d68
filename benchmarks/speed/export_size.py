"""Size and latency of an exported model by the precision of its weights.

    python -m benchmarks.speed.export_size --json benchmarks/results/export_size.json
    python -m benchmarks.speed.export_size --labels 24043 --clusters 256 --top-k 20
    python -m benchmarks.speed.export_size --system one_vs_all --layers 6 --hidden 384

A LightXML with random weights in the shape of a data set (by default Amazon-670K with
BERT-base, as in the paper) is exported in each precision. All exports are loaded and
called in turns, so that they see the same machine. Latency depends neither on the
values of weights nor on the words of a text.

With --system one_vs_all, whose labels have rows of --projection numbers (0: as wide as
a feature), the exports are of a one-vs-all, with the other weights in float32, and of a
LightXML in float32. --layers 6 --hidden 384 is MiniLM, and --words the length of the
texts. `score ms` is the time of scoring 10 given labels of a text.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.shared.circumstances import circumstances
from benchmarks.shared.export_forms import FORMS, save_form
from benchmarks.shared.figures import (
    add_integers,
    add_json,
    benchmark_parser,
    keep,
    make_place,
    table,
)
from benchmarks.shared.random_batches import rectangle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


SIGNATURES = ("serving_default", "score")
PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")


def build_model(arguments, system):
    import keras_nlp

    from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
    from xmc_keras.encoders.pretrained import find_minilm
    from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    from xmc_keras.lightxml.lightxml import LightXML
    from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead

    # MiniLM has the vocabulary of BERT-base, uncased.
    tokenizer = keras_nlp.models.Tokenizer.from_preset(str(find_minilm()))
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=arguments.layers,
        num_heads=max(1, arguments.hidden // 64),
        hidden_dim=arguments.hidden,
        intermediate_dim=4 * arguments.hidden,
    )
    of_texts = {
        "tokenizer": tokenizer,
        "max_tokens": arguments.tokens,
        "label_names": [f"label number {i}" for i in range(arguments.labels)],
    }
    if system == "one_vs_all":
        head = OneVsAllHead(
            arguments.labels, bottleneck_dim=arguments.projection or None
        )
        encoder = MultiLayerCLSEncoder(backbone, 1, pooling="mean")
        return OneVsAll(encoder, head, **of_texts)
    clusters = rectangle(arguments.labels, arguments.clusters)
    generator = ClusterGenerator(clusters, arguments.top_k)
    ranker = DynamicCandidateRanker(
        generator.num_rows, arguments.bottleneck, mask_repeats=False
    )
    encoder = MultiLayerCLSEncoder(backbone, min(5, arguments.layers))
    return LightXML(encoder, generator, ranker, **of_texts)


def forms_of(arguments):
    """`(system, form)` of each export."""
    forms = [form for form in FORMS if form[0] in (arguments.table or form)]
    if arguments.system == "lightxml":
        return [("lightxml", form) for form in forms]
    forms = [("one_vs_all", form) for form in forms if form[1] == "float32"]
    return [*forms, ("lightxml", FORMS[0])]


def measured(arguments, folder):
    """A row for each export."""
    import keras

    from xmc_keras.serving.server.served_model import ServedModel

    keras.utils.set_random_seed(0)
    rows, paths, built = [], [], None
    tokens = np.zeros((1, 8), "int32")
    for system, form in forms_of(arguments):
        if built != system:
            model, built = None, system  # the one before is not kept in memory
            model = build_model(arguments, system)
            model({"token_ids": tokens, "padding_mask": tokens == 0})
        print(f"Exporting {system}, {', '.join(form)}", file=sys.stderr, flush=True)
        paths.append(folder / "-".join([system, *form]))
        save_form(model, paths[-1], form, SIGNATURES)
        files = [file for file in paths[-1].rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        row = {"system": system, "table": form[0], "other weights": form[1]}
        rows.append({**row, "size GB": size / 1e9})
    del model
    served = []
    for row, path in zip(rows, paths):
        start = time.perf_counter()
        served.append(ServedModel(path))
        row["load s"] = time.perf_counter() - start
    words = np.random.default_rng(0).choice(["puzzle", "game", "red", "sky"], 200)
    text = " ".join(words[: arguments.words]).encode()
    labels = np.array([[f"label number {i}".encode() for i in range(10)]], object)
    asked = {"1 text ms": (1, {}), "16 texts ms": (16, {})}
    asked["score ms"] = 1, {"labels": labels}
    for name, (count, more) in asked.items():
        inputs = {"text": np.array([text] * count, object), **more}
        signature = "score" if more else "serving_default"
        seconds = [[] for _ in served]
        for turn in range(arguments.turns + 1):
            for model, found in zip(served, seconds):
                start = time.perf_counter()
                model.predict(inputs, signature)
                if turn:  # the first call is a warm-up
                    found.append(time.perf_counter() - start)
        for row, found in zip(rows, seconds):
            row[name] = 1000 * float(np.median(found))
    return [{k: _rounded(v) for k, v in row.items()} for row in rows]


def _rounded(value):
    return round(value, 3 if value < 10 else 1) if isinstance(value, float) else value


def main(arguments):
    make_place(arguments.json)
    shape = {k: v for k, v in vars(arguments).items() if k not in ("json", "turns")}
    found = {"shape": shape, "turns": arguments.turns, **circumstances(PACKAGES)}
    with tempfile.TemporaryDirectory() as folder:
        rows = found["measured"] = measured(arguments, Path(folder))
    print(table(rows))
    keep(found, arguments.json)


if __name__ == "__main__":
    parser = benchmark_parser("speed.export_size", __doc__)
    sizes = [
        ("labels", 670_091),
        ("clusters", 8192),
        ("top-k", 75),
        ("bottleneck", 400),
        ("tokens", 128),
        ("layers", 12),
        ("hidden", 768),
        ("words", 200),
        ("turns", 15),
    ]
    add_integers(parser, [(name, default, 1, "") for name, default in sizes])
    add_integers(parser, [("projection", 0, 0, "")])
    parser.add_argument(
        "--system", choices=["lightxml", "one_vs_all"], default="lightxml"
    )
    parser.add_argument(
        "--table",
        action="append",
        choices=["float32", "float16", "int8"],
        help="precision of the label table (all)",
    )
    add_json(parser)
    main(parser.parse_args())
