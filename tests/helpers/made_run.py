"""Finished runs without training: run folders with random models."""

import keras
import numpy as np

from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import read_documents
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.lightxml.build import build_model
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import RunHistory


def make_run(folder, config_path, seed, *overrides):
    """Makes a `RunFolder` with all files of `xmc fit`, and random clusters and heads.

    Args:
        folder: path of the run.
        config_path: path of a LightXML config, for example `tiny_config`.
        seed: int. Seed of clusters and weights.
        *overrides: same as in `load_config`.
    """
    config = load_config(config_path, overrides)
    documents = read_documents(config.data, "train")
    label_set = LabelSet.from_labels(documents.labels)
    random = np.random.default_rng(seed)
    clusters = random.permutation(len(label_set)).reshape(-1, config.max_leaf)
    keras.utils.set_random_seed(seed)
    backbone, tokenizer = load_encoder(config.encoder)
    model = build_model(config, backbone, tokenizer, clusters, label_set.names)
    ids = np.ones((1, 4), "int32")
    model({"token_ids": ids, "padding_mask": ids > 0, "segment_ids": 0 * ids})
    heads = [model.generator, *([model.ranker] if model.ranker else [])]
    for weight in [weight for head in heads for weight in head.weights]:
        if weight.dtype == "float32":
            weight.assign(random.normal(size=weight.shape))
    model.compile()
    run = RunFolder(folder)
    run.begin(config, label_set, clusters.astype("int32"), documents)
    run.save_model(model, "best")
    history = RunHistory(run.history_path)
    for epoch in range(config.epochs):
        row = {f"val_precision_at_{k}": 0.2 * (epoch + 1) / k for k in (1, 3, 5)}
        history.on_epoch_end(epoch, {"loss": 3.0 - epoch, "val_loss": 3.5, **row})
    metrics = {f"{m}@{k}": 50.0 / k for m in ("P", "nDCG", "PSP") for k in (1, 3, 5)}
    metrics |= {"recall@10": 60.0, "recall@100": 80.0, "train_seconds": 2.5}
    metrics |= {"predict_ms_a_document": 1.5, "peak_memory_gb": 1.0, "seconds": 3.0}
    metrics |= {"train_documents": 130, "propensity_a": 0.55, "propensity_b": 1.5}
    metrics["baselines"] = {"most popular labels": dict(metrics)}
    run.save_metrics(metrics)
    return run
