"""Predictions of a run for its test part, cached in its folder."""

import dataclasses
import logging

import numpy as np

from xmc_keras.data.documents import documents_digest
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import digest_file
from xmc_keras.files.path_lock import PathLock
from xmc_keras.files.unreadable import UNREADABLE
from xmc_keras.metrics.filtered_ranking import filter_ranking

logger = logging.getLogger("report")

FILE = "report_predictions.npz"


@dataclasses.dataclass
class RunPredictions:
    """Predictions of a run, and the ranks of the right labels in its first stage.

    Args:
        label_ids: int32 array (documents, n). Best labels, best first, `-1` pads.
        scores: float32 array (documents, n). Their scores.
        own_scores: float32 array (documents, n). Their scores before calibration.
        ranks: int32 array (pairs,). For each label of each document, in the order of a
            csr matrix: the number of clusters (LightXML) or labels (LightDXML) that the
            first stage, or the last level of clusters, ranks above its own; `-1` if it
            was not searched.
        step: int. Number of labels per rank: those of a cluster, or 1.
        kept: int. Labels with a rank below this are candidates.
    """

    label_ids: np.ndarray
    scores: np.ndarray
    own_scores: np.ndarray
    ranks: np.ndarray
    step: int
    kept: int


def predict_run(run, documents, relevant, name=None, filtered=None):
    """Predicts documents with a run, or reads its cached predictions.

    They are cached in the run's folder, with a key of the model and the documents.

    Args:
        run: a `RunFolder`.
        documents: `Documents` or `FeatureDocuments`.
        relevant: csr matrix (documents, labels). Known labels of the documents.
        name: optional string. Name of one of the run's models.
        filtered: optional csr matrix (documents, labels). Labels to leave out of the
            predictions; see `filter_ranking`.

    Returns:
        A `RunPredictions`.
    """
    key = _key(run, documents, name)
    path = run.path / FILE
    found = _read(path, key)
    if found is None:
        logger.info("Predicting %d documents with %s", len(documents), run.path)
        model, config = run.load_model(name), run.config()
        found = predict_documents(model, documents, relevant, config, run.cache_path)
        try:
            with PathLock(path, "for predictions", "run"), atomic_write(path) as file:
                np.savez(file, key=key, **dataclasses.asdict(found))
        except BadInput as error:  # a full disk, or another report on this run
            logger.warning("Predictions are not cached: %s", error)
    label_ids, scores = filter_ranking(found.label_ids, filtered, found.scores)
    _, own = filter_ranking(found.label_ids, filtered, found.own_scores)
    return dataclasses.replace(
        found, label_ids=label_ids, scores=scores, own_scores=own
    )


def _key(run, documents, name):
    return f"{documents_digest(documents)} {digest_file(run.model_path(name))}"


def _read(path, key):
    names = [field.name for field in dataclasses.fields(RunPredictions)]
    try:
        # Opened here because `np.load` does not close a damaged file.
        with open(path, "rb") as file:
            cached = np.load(file)
            if str(cached["key"]) != key:
                return None
            arrays = [cached[name] for name in names]
    except UNREADABLE:
        return None
    return RunPredictions(*arrays[:4], *map(int, arrays[4:]))


def predict_documents(model, documents, relevant, config=None, cache=None):
    """Predicts documents with a model: `RunPredictions`.

    Args:
        model: a `LightXML` or `LightDXML` with label names.
        documents, relevant: see `predict_run`.
        config, cache: see `build_inputs`.
    """
    import tensorflow as tf

    from xmc_keras.data.inputs import build_inputs

    batches = build_inputs(model, documents.texts, relevant, config, cache)
    clusters = getattr(model, "label_clusters", None)

    @tf.function(reduce_retracing=True, autograph=False)
    def predict(x, label_ids):
        outputs = model.rank(*model.encode(x))
        if clusters is None:
            offered = outputs.get("candidates", outputs["predicted_ids"])
            ranks = find_places(offered, label_ids)
        elif "levels" in outputs:
            found = outputs["levels"][-1]
            order = tf.argsort(-found["scores"], stable=True)
            ranked = tf.gather(found["candidates"], order, batch_dims=1)
            ranks = find_places(ranked, clusters.clusters_of(label_ids))
        else:
            order = tf.argsort(-outputs["cluster_logits"], stable=True)
            ranks = tf.argsort(order)  # (batch, clusters)
            own = tf.maximum(clusters.clusters_of(label_ids), 0)
            ranks = tf.gather(ranks, own, batch_dims=1)
        scores = outputs["scores"]
        own = outputs.get("own_scores", scores)
        return outputs["predicted_ids"], scores, own, ranks

    if not model.built:
        model(_inputs(next(batches.batches())[0]), training=False)
    ranks = np.full(relevant.nnz, -1, np.int32)
    found, start = [], 0
    for x, label_ids in batches.batches():
        *best, own = predict(_inputs(x), tf.constant(label_ids))
        found.append([part.numpy() for part in best])
        for row, document in zip(own.numpy(), batches.order[start:]):
            first, last = relevant.indptr[document : document + 2]
            ranks[first:last] = row[: last - first]
        start += len(label_ids)
    best = [batches.restore(np.concatenate(part)) for part in zip(*found)]
    step, kept = 1, getattr(model, "num_candidates", None)
    if clusters is not None:
        step, kept = clusters.cluster_size, clusters.top_k
    return RunPredictions(*best, ranks, step, kept)


def _inputs(x):
    import tensorflow as tf

    return {
        name: tf.convert_to_tensor(value)
        for name, value in x.items()
        if name != "label_ids"
    }


def find_places(candidates, label_ids):
    """Positions of labels (batch, m) in candidates (batch, n), or -1.

    >>> import tensorflow as tf
    >>> find_places(tf.constant([[5, 3, 9]]), tf.constant([[9, 4, 5]])).numpy().tolist()
    [[2, -1, 0]]
    """
    import tensorflow as tf

    equal = label_ids[:, :, None] == candidates[:, None, :]  # (batch, m, n)
    found = tf.argmax(tf.cast(equal, tf.int8), axis=2, output_type=tf.int32)
    return tf.where(tf.reduce_any(equal, axis=2), found, -1)
