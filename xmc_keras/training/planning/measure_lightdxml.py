"""Measuring time and memory of LightDXML by some real training steps."""

import time

import keras
import numpy as np
import scipy.sparse

from xmc_keras.data.sparse_document_batches import SparseDocumentBatches
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.lightdxml.build import build_lightdxml, lightdxml_optimizer
from xmc_keras.lightdxml.shortlist_labels import shortlist_labels
from xmc_keras.training.planning.measure_transformer import (
    make_token_batches,
    time_steps,
)

SEARCHED = 512  # documents to time the search with


def measure_lightdxml(plan, documents, steps):
    """Takes `steps` training steps twice, and times the second half.

    Negatives and label embeddings are random: neither time nor memory of a step or of
    exact search depends on them.

    Args:
        plan: a `LightDXMLPlan`.
        documents: the sample of `make_plan`; None for random words and labels.
        steps: int. Fewer steps are taken if there are too few documents.

    Returns:
        Dictionary as in `measure_transformer`, with `search_ms`, the milliseconds of
        exact search per document. `hours` includes `shortlists_hours`, but not the
        training of label embeddings.
    """
    config = plan.config
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    rng = np.random.default_rng(config.seed)
    backbone = tokenizer = None
    if plan.encoder is None:
        rows, labels = make_sparse_documents(plan, documents, steps, rng)
        batches = SparseDocumentBatches(rows, labels, config.batch_size, shuffle=True)
    else:
        backbone, tokenizer = load_encoder(config.encoder)
        batches = make_token_batches(plan, documents, steps, tokenizer)
    neighbors = min(config.num_neighbors, plan.num_labels)
    shape = batches.labels.shape[0], neighbors
    shortlist = rng.integers(plan.num_labels, size=shape, dtype=np.int32)
    batches = batches.with_shortlist(shortlist)
    names = [f"label{i}" for i in range(plan.num_labels)]
    model = build_lightdxml(
        config, names, None, backbone, tokenizer, num_features=plan.vocabulary
    )
    optimizer = lightdxml_optimizer(config, len(batches))
    model.compile(optimizer, jit_compile=config.jit_compile)
    measured = time_steps(model, batches)

    # === Shortlists ===
    table = rng.standard_normal((plan.num_labels, plan.dim), np.float32)
    queries = table[rng.integers(len(table), size=SEARCHED)]
    begun = time.perf_counter()
    shortlist_labels(queries, table, neighbors)
    search = (time.perf_counter() - begun) / SEARCHED
    measured["search_ms"] = 1000 * search
    if plan.steps is not None:
        hours = plan.cycles * plan.train_documents * search / 3600
        measured["hours"] = plan.steps * measured["step_s"] / 3600 + hours
        measured["shortlists_hours"] = hours
    return measured


def make_sparse_documents(plan, documents, steps, rng):
    """Csr matrices of features and of labels, drawn from documents or random."""
    size = steps * plan.config.batch_size
    if documents is not None:
        chosen = rng.choice(len(documents), min(size, len(documents)), replace=False)
        some = documents.subset(chosen)
        labels = LabelSet.from_labels(some.labels).encode(some.labels)
        labels.resize(len(some), plan.num_labels)
        return some.features, labels

    def ones(count, width):
        columns = rng.integers(width, size=size * count)
        arrays = np.ones(len(columns), np.float32), columns
        starts = np.arange(size + 1) * count
        rows = scipy.sparse.csr_matrix((*arrays, starts), (size, width))
        rows.sum_duplicates()
        return rows

    words = ones(max(1, round(plan.words)), plan.vocabulary)
    return words, ones(plan.most_labels, plan.num_labels)
