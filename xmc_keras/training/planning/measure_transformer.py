"""Measuring time and memory of a transformer by some real training steps."""

import time

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse import csr_matrix

from xmc_keras.data.inputs import make_batches
from xmc_keras.data.token_cache import TokenCache
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.lightxml.build import build_model, build_optimizer
from xmc_keras.one_vs_all.build import build_one_vs_all
from xmc_keras.text.text_tokenizer import TextTokenizer
from xmc_keras.training.memory import measure_peak_memory


def measure_transformer(plan, documents, steps):
    """Takes `steps` training steps twice, and times the second half.

    The first half traces the graphs. Clusters and the weights of the heads are
    arbitrary, because neither time nor memory depends on them.

    Args:
        plan: a `LightXMLPlan` or `OneVsAllPlan`.
        documents: `Documents` to draw from, so that batches have the lengths of the
            data; None for `max_tokens` random tokens and random labels.
        steps: int. Fewer steps are taken if there are too few documents.

    Returns:
        Dictionary of `steps`, `step_s` (mean seconds of a step, including waiting for
        data), `peak_gb` by place and, if the plan has a number of steps, `hours`.
    """
    config = plan.config
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    backbone, tokenizer = load_encoder(config.encoder)
    batches = make_token_batches(plan, documents, steps, tokenizer)
    if config.system == "one_vs_all":
        model = build_one_vs_all(config, backbone, tokenizer, None, plan.num_labels)
    else:
        num_clusters, size = plan.clusters
        clusters = np.arange(num_clusters * size).reshape(size, num_clusters).T
        clusters = np.where(clusters < plan.num_labels, clusters, -1)
        model = build_model(config, backbone, tokenizer, clusters, None)
    total_steps = plan.steps or 2 * len(batches)
    model.compile(build_optimizer(config, total_steps), jit_compile=config.jit_compile)
    measured = time_steps(model, batches)
    if plan.steps is not None:
        measured["hours"] = plan.steps * measured["step_s"] / 3600
    return measured


def time_steps(model, batches):
    """Trains two epochs and measures `steps`, `step_s` and `peak_gb` of the second."""
    model(next(batches.batches())[0])
    for epoch in range(2):
        # Both have the same lengths: up to 50 batches are sorted by length together.
        begun = time.perf_counter()
        model.fit(batches.dataset(epoch), verbose=0, shuffle=False)
        seconds = (time.perf_counter() - begun) / len(batches)
    return {"steps": len(batches), "step_s": seconds, "peak_gb": measure_peak_gb()}


def make_token_batches(plan, documents, steps, tokenizer):
    """Batches of documents drawn from the data, or of random ones without data."""
    config = plan.config
    text_tokenizer = TextTokenizer(tokenizer, config.max_tokens)
    if documents is None:
        sample = make_random_documents(plan, steps)
    else:
        sample = draw_documents(plan, documents, steps, text_tokenizer)
    tokens, label_matrix = sample
    return make_batches(
        tokens,
        text_tokenizer.pad_id,
        label_matrix,
        config.batch_size,
        config,
        shuffle=True,
    )


def make_random_documents(plan, steps):
    """A `TokenCache` and a label matrix of random documents of `max_tokens` tokens."""
    rng = np.random.default_rng(plan.config.seed)
    size, length = steps * plan.config.batch_size, plan.config.max_tokens
    token_ids = rng.integers(plan.encoder.vocabulary_size, size=size * length)
    tokens = TokenCache(token_ids.astype(np.int32), np.arange(size + 1) * length)
    labels = rng.integers(plan.num_labels, size=(size, plan.most_labels))
    rows = np.repeat(np.arange(size), plan.most_labels)
    ones = np.ones(labels.size, np.float32)
    shape = size, plan.num_labels
    return tokens, csr_matrix((ones, (rows, labels.ravel())), shape)


def draw_documents(plan, documents, steps, text_tokenizer):
    """A `TokenCache` and a label matrix of documents drawn from the data."""
    rng = np.random.default_rng(plan.config.seed)
    size = min(len(documents), steps * plan.config.batch_size)
    sample = documents.subset(rng.choice(len(documents), size, replace=False))
    label_set = LabelSet.from_labels(documents.labels)
    tokens = TokenCache(*text_tokenizer(sample.texts))
    return tokens, label_set.encode(sample.labels)


def measure_peak_gb():
    """Peak memory of this process by place, in GB."""
    peak = {"machine": measure_peak_memory()}
    if tf.config.list_physical_devices("GPU"):
        peak["GPU"] = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
    return peak
