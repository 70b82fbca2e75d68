"""Figures of a run for the report."""

import dataclasses

import numpy as np

from xmc_keras.config.config import Config
from xmc_keras.evaluation.evaluate import compute_propensities, measure_recall
from xmc_keras.evaluation.report.by_frequency import group_by_frequency, split_by_group
from xmc_keras.evaluation.report.calibration import calibrate
from xmc_keras.evaluation.report.confused_labels import find_confused_labels
from xmc_keras.evaluation.report.recall_curve import compute_recall_curve
from xmc_keras.metrics.ranking_metrics import ranking_report
from xmc_keras.runs.read_history import COLUMNS, read_history


@dataclasses.dataclass
class RunReport:
    """Figures of one run.

    Args:
        name: string. Name of the run.
        config: a `Config`.
        metrics: dictionary. The run's `metrics.json`, with the metrics of these
            predictions.
        history: list of dictionaries, one row per epoch; may be empty.
        label_ids: int array (documents, n). Predictions, best first, `-1` pads.
        scores: float array (documents, n). Their scores.
        groups: list of strings. Names of groups of labels by frequency.
        shares: dictionary from `P@k` and `PSP@k` to float arrays (groups,).
        recall: float array. Share of labels among the candidates of 1, 2, ... steps.
        step: int. Number of candidates per step: labels of a cluster, or 1.
        kept: int. Number of steps that the model takes.
        calibration: see `calibrate()`.
        confused: see `find_confused_labels()`.
        cluster_labels: int array (clusters,). Labels of each cluster; None without
            clusters.
        cluster_documents: int array (clusters,). Labels of training documents in each
            cluster; None without clusters.
    """

    name: str
    config: Config
    metrics: dict
    history: list
    label_ids: np.ndarray
    scores: np.ndarray
    groups: list
    shares: dict
    recall: np.ndarray
    step: int
    kept: int
    calibration: tuple
    confused: list
    cluster_labels: np.ndarray | None
    cluster_documents: np.ndarray | None


def report_run(name, run, metrics, relevant, predictions):
    """Computes the `RunReport` of a run.

    Args:
        name: string. Name of the run.
        run: a `RunFolder`.
        metrics: dictionary. Its `metrics.json`.
        relevant: csr matrix (documents, width) of the test part, from
            `LabelSet.encode`.
        predictions: `RunPredictions`.
    """
    config, (counts, num_documents) = run.config(), run.label_counts()
    weight = compute_propensities(counts, num_documents, relevant.shape[1], config)
    known = relevant[:, : len(counts)]
    unseen = np.diff(relevant.indptr) - np.diff(known.indptr)
    top = predictions.label_ids
    names, groups = group_by_frequency(counts)
    metrics = {
        **{key: x for key, x in metrics.items() if not key.startswith("recall@")},
        **ranking_report(top, relevant, weight),
        **measure_recall(top, relevant),
    }
    cluster_labels = cluster_documents = None
    if config.system == "lightxml":
        clusters = run.clusters()
        cluster_labels = (clusters >= 0).sum(axis=1)
        label_documents = np.append(counts, 0)[clusters]  # a pad reads the last one
        cluster_documents = label_documents.sum(axis=1)
    return RunReport(
        name,
        config,
        metrics,
        read_history(run.history_path, COLUMNS),
        top,
        predictions.scores,
        names,
        split_by_group(top, relevant, weight, groups, len(names)),
        compute_recall_curve(predictions.ranks, known, unseen),
        predictions.step,
        predictions.kept,
        calibrate(top, predictions.scores, relevant),
        find_confused_labels(top, relevant),
        cluster_labels,
        cluster_documents,
    )
