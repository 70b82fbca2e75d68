"""Report of a classifier."""

from xmc_keras.evaluation.report.write_report import reserve_report, write_model_report

# Measured on other documents than those of a report.
OTHERS = ("baselines", "warnings", "predict_ms_a_document")


def write_classifier_report(classifier, output, documents=None, overwrite=False):
    """Writes the report on a fitted classifier.

    Args:
        classifier: a `LightXMLClassifier` or `LightDXMLClassifier`.
        output: string or path of the page, see `write_report`.
        documents: optional documents to predict. Without them the report has training
            and the metrics of it alone.
        overwrite: bool. Whether to replace an earlier report. Defaults to `False`.

    Raises:
        ValueError: there is a file, or nothing to report.
    """
    metrics = getattr(classifier, "metrics_", None)
    if classifier.config_ is None or (documents is None and metrics is None):
        raise ValueError(
            "Expected a classifier that knows its training, for a report. Received: "
            "one of a model alone. `evaluate` has the metrics of texts."
        )
    metrics = dict(metrics or {})
    if documents is not None:
        metrics = {key: x for key, x in metrics.items() if key not in OTHERS}
    with reserve_report(output, overwrite):
        write_model_report(
            classifier.model_,
            output,
            type(classifier).__name__,
            classifier.config_,
            metrics,
            getattr(classifier, "history_", []),
            (classifier.label_counts_, classifier.num_documents_),
            documents,
        )
