"""Some real training steps before a run, to tell its time and memory."""

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
from xmc_keras.text.text_tokenizer import TextTokenizer
from xmc_keras.training.memory import measure_peak_memory


def measure_lightxml(plan, documents, steps):
    """Takes `steps` training steps twice, and times the second ones.

    The first ones make the graphs. Clusters and the weights of the heads are
    arbitrary, for neither time nor memory depends on them.

    Args:
        plan: a `RunPlan`.
        documents: `Documents` to draw from, so that batches have the lengths of the
            data; None for random words, `max_tokens` of them, and random labels.
        steps: int. Fewer are taken where there are fewer documents.

    Returns:
        Dictionary of `steps`, `step_s` (their mean, with the time they waited for
        data), `peak_gb` by place and, if the plan has a number of steps, `hours`.
    """
    config = plan.config
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    backbone, tokenizer = load_encoder(config.encoder)
    batches = make_token_batches(plan, documents, steps, tokenizer)
    num_clusters, size = plan.clusters
    clusters = np.arange(num_clusters * size).reshape(size, num_clusters).T
    clusters = np.where(clusters < plan.num_labels, clusters, -1)
    model = build_model(config, backbone, tokenizer, clusters, None)
    total_steps = plan.steps or 2 * len(batches)
    model.compile(build_optimizer(config, total_steps), jit_compile=config.jit_compile)
    found = time_steps(model, batches)
    if plan.steps is not None:
        found["hours"] = plan.steps * found["step_s"] / 3600
    return found


def time_steps(model, batches):
    """`steps`, `step_s` and `peak_gb` of the second of two epochs."""
    model(next(batches.batches())[0])
    for epoch in range(2):
        # Of the same lengths: up to 50 batches are one window, sorted by length.
        begun = time.perf_counter()
        model.fit(batches.dataset(epoch), verbose=0, shuffle=False)
        seconds = (time.perf_counter() - begun) / len(batches)
    return {"steps": len(batches), "step_s": seconds, "peak_gb": measure_peak_gb()}


def make_token_batches(plan, documents, steps, tokenizer):
    """Batches of documents drawn from the data, or of random ones without."""
    config = plan.config
    text_tokenizer = TextTokenizer(tokenizer, config.max_tokens)
    if documents is None:
        found = make_random_documents(plan, steps)
    else:
        found = draw_documents(plan, documents, steps, text_tokenizer)
    tokens, label_matrix = found
    return make_batches(
        tokens,
        text_tokenizer.pad_id,
        label_matrix,
        config.batch_size,
        config,
        shuffle=True,
    )


def make_random_documents(plan, steps):
    """A `TokenCache` and a label matrix, of documents as long as may be."""
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
    """The same, of documents drawn from the data."""
    rng = np.random.default_rng(plan.config.seed)
    size = min(len(documents), steps * plan.config.batch_size)
    sample = documents.subset(rng.choice(len(documents), size, replace=False))
    label_set = LabelSet.from_labels(documents.labels)
    tokens = TokenCache(*text_tokenizer(sample.texts))
    return tokens, label_set.encode(sample.labels)


def measure_peak_gb():
    """Most memory that this process has had, by place."""
    found = {"machine": measure_peak_memory()}
    if tf.config.list_physical_devices("GPU"):
        found["GPU"] = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
    return found
