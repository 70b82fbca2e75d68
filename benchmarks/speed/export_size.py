"""Size and latency of an exported model by the precision of its weights.

    python -m benchmarks.speed.export_size --json benchmarks/results/export_size.json
    python -m benchmarks.speed.export_size --labels 24043 --clusters 256 --top-k 20

A LightXML with random weights in the shape of a data set (by default Amazon-670K with
BERT-base, as in the paper) is exported in each precision. All exports are loaded and
called in turns, so that they see the same machine. Latency depends neither on the
values of weights nor on the words of a text.
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


PACKAGES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")


def build_model(arguments):
    import keras_nlp

    from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
    from xmc_keras.encoders.pretrained import find_minilm
    from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    from xmc_keras.lightxml.lightxml import LightXML

    # MiniLM has the vocabulary of BERT-base, uncased.
    tokenizer = keras_nlp.models.Tokenizer.from_preset(str(find_minilm()))
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=tokenizer.vocabulary_size(),
        num_layers=arguments.layers,
        num_heads=arguments.hidden // 64,
        hidden_dim=arguments.hidden,
        intermediate_dim=4 * arguments.hidden,
    )
    clusters = rectangle(arguments.labels, arguments.clusters)
    generator = ClusterGenerator(clusters, arguments.top_k)
    return LightXML(
        MultiLayerCLSEncoder(backbone, num_feature_layers=5),
        generator,
        DynamicCandidateRanker(
            generator.num_rows, arguments.bottleneck, mask_repeats=False
        ),
        tokenizer=tokenizer,
        max_tokens=arguments.tokens,
        label_names=[f"label number {i}" for i in range(arguments.labels)],
    )


def measured(arguments, folder):
    """A row for each form of `FORMS`."""
    import keras

    from xmc_keras.serving.server.served_model import ServedModel

    keras.utils.set_random_seed(0)
    model = build_model(arguments)
    tokens = np.zeros((1, 8), "int32")
    model({"token_ids": tokens, "padding_mask": tokens == 0})
    rows, served = [], []
    for form in FORMS:
        print(f"Exporting {', '.join(form)}", file=sys.stderr, flush=True)
        path = folder / "-".join(form)
        save_form(model, path, form)
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        rows.append({"table": form[0], "other weights": form[1], "size GB": size / 1e9})
    del model
    for row, form in zip(rows, FORMS):
        start = time.perf_counter()
        served.append(ServedModel(folder / "-".join(form)))
        row["load s"] = time.perf_counter() - start
    words = np.random.default_rng(0).choice(["puzzle", "game", "red", "sky"], 200)
    text = " ".join(words).encode()
    for count in (1, 16):
        texts = np.array([text] * count, object)
        seconds = [[] for _ in served]
        for turn in range(arguments.turns + 1):
            for model, found in zip(served, seconds):
                start = time.perf_counter()
                model.predict({"text": texts})
                if turn:  # the first call is a warm-up
                    found.append(time.perf_counter() - start)
        name = "1 text ms" if count == 1 else f"{count} texts ms"
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
        ("turns", 15),
    ]
    add_integers(parser, [(name, default, 1, "") for name, default in sizes])
    add_json(parser)
    main(parser.parse_args())
