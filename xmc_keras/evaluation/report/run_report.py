"""Figures of a run for the report."""

import dataclasses

import numpy as np

from xmc_keras.config.config import Config
from xmc_keras.evaluation.evaluate import compute_propensities, measure_recall
from xmc_keras.evaluation.report.by_frequency import group_by_frequency, split_by_group
from xmc_keras.evaluation.report.calibration import (
    ReportedCalibration,
    report_calibration,
)
from xmc_keras.evaluation.report.confused_labels import find_confused_labels
from xmc_keras.evaluation.report.recall_curve import compute_recall_curve
from xmc_keras.metrics.ranking_metrics import ranking_report
from xmc_keras.runs.read_history import COLUMNS, read_history


@dataclasses.dataclass
class RunReport:
    """Figures of one run, or of a model in memory.

    Those of predictions are None for a report on training alone.

    Args:
        name: string. Name of the run.
        config: a `Config`.
        metrics: dictionary. The run's `metrics.json`, with the metrics of these
            predictions.
        history: list of dictionaries, one row per epoch; may be empty.
        cluster_labels: int array (clusters,). Labels of each cluster; None without
            clusters.
        cluster_documents: int array (clusters,). Labels of training documents in each
            cluster; None without clusters.
        label_ids: int array (documents, n). Predictions, best first, `-1` pads.
        scores: float array (documents, n). Their scores.
        groups: list of strings. Names of groups of labels by frequency.
        shares: dictionary from `P@k` and `PSP@k` to float arrays (groups,).
        recall: float array. Share of labels among the candidates of 1, 2, ... steps.
        step: int. Number of candidates per step: labels of a cluster, or 1.
        kept: int. Number of steps that the model takes.
        calibration: a `ReportedCalibration`.
        confused: see `find_confused_labels()`.
    """

    name: str
    config: Config
    metrics: dict
    history: list
    cluster_labels: np.ndarray | None = None
    cluster_documents: np.ndarray | None = None
    label_ids: np.ndarray | None = None
    scores: np.ndarray | None = None
    groups: list | None = None
    shares: dict | None = None
    recall: np.ndarray | None = None
    step: int | None = None
    kept: int | None = None
    calibration: ReportedCalibration | None = None
    confused: list | None = None


def report_run(name, run, metrics, relevant, predictions):
    """Computes the `RunReport` of a run.

    Args:
        name: string. Name of the run.
        run: a `RunFolder`.
        metrics: dictionary. Its `metrics.json`.
        relevant, predictions: see `make_report`.
    """
    config = run.config()
    return make_report(
        RunReport(name, config, metrics, read_history(run.history_path, COLUMNS)),
        run.label_counts(),
        run.clusters() if config.system == "lightxml" else None,
        relevant,
        predictions,
    )


def make_report(report, label_counts, clusters=None, relevant=None, predictions=None):
    """Adds clusters and predictions to a `RunReport`.

    Args:
        report: a `RunReport` with name, config, metrics and history.
        label_counts: `(counts, num_documents)` of the training documents.
        clusters: optional int array (clusters, cluster size).
        relevant: optional csr matrix (documents, width) of the documents that were
            predicted, from `LabelSet.encode`.
        predictions: optional `RunPredictions`.
    """
    counts, num_documents = label_counts
    found = {}
    if clusters is not None:
        label_documents = np.append(counts, 0)[clusters]  # a pad reads the last one
        found["cluster_labels"] = (clusters >= 0).sum(axis=1)
        found["cluster_documents"] = label_documents.sum(axis=1)
    if predictions is None:
        return dataclasses.replace(report, **found)
    width = relevant.shape[1]
    weight = compute_propensities(counts, num_documents, width, report.config)
    known = relevant[:, : len(counts)]
    unseen = np.diff(relevant.indptr) - np.diff(known.indptr)
    top = predictions.label_ids
    names, groups = group_by_frequency(counts)
    metrics = report.metrics.items()
    return dataclasses.replace(
        report,
        metrics={
            **{key: x for key, x in metrics if not key.startswith("recall@")},
            **ranking_report(top, relevant, weight),
            **measure_recall(top, relevant),
        },
        label_ids=top,
        scores=predictions.scores,
        groups=names,
        shares=split_by_group(top, relevant, weight, groups, len(names)),
        recall=compute_recall_curve(predictions.ranks, known, unseen),
        step=predictions.step,
        kept=predictions.kept,
        calibration=report_calibration(predictions, relevant, counts),
        confused=find_confused_labels(top, relevant),
        **found,
    )
