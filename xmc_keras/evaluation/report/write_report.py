"""The report on finished runs: an HTML page, and its pictures as PNG files."""

import contextlib
import shutil
from pathlib import Path

import numpy as np

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.label_texts import find_label_titles
from xmc_keras.files.atomic_files import atomic_write, replace_folder
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.check_output import REMEDY, check_output
from xmc_keras.files.disk_error import explain_disk_errors
from xmc_keras.files.path_lock import PathLock
from xmc_keras.runs.finished_runs import name_runs, read_metrics


def write_report(runs, documents, output, model=None):
    """Writes the report on finished runs, side by side.

    The page needs no network and no other file: losses and P@k of training, P@k and
    PSP@k by label frequency, recall of the candidates, calibration, clusters, most
    confused labels, and twenty documents with right and wrong labels marked. The
    predictions are kept in the run's folder, in `report_predictions.npz`.

    Args:
        runs: list of `RunFolder`, see `open_finished_runs`.
        documents: `Documents` or `FeatureDocuments` of the test part.
        output: string or path of the page. The pictures go to a folder next to it, of
            its name with `_pictures`.
        model: optional string. Which of the runs' models; the best ones by default.

    Returns:
        The path of the folder of pictures.

    Raises:
        BadInput: the runs know none of the documents' labels.
    """
    label_set = runs[0].label_set()
    check_labels_known(documents, label_set)

    # TensorFlow takes seconds to import: other errors are reported before.
    from xmc_keras.evaluation.report.run_predictions import predict_run
    from xmc_keras.evaluation.report.run_report import report_run

    filtered = encode_filtered_labels(documents, label_set)
    titles = find_label_titles(documents) if runs[0].config().titles else {}
    relevant, names = _encode(documents, label_set, titles)
    known = relevant[:, : len(label_set)]
    reports = [
        report_run(
            name,
            run,
            read_metrics(run),
            relevant,
            predict_run(run, documents, known, model, filtered),
        )
        for name, run in zip(name_runs(runs), runs)
    ]
    return _write(reports, output, names, documents, relevant)


def write_model_report(
    model, output, name, config, metrics, history, label_counts, documents=None
):
    """Writes the report on a model in memory.

    Args:
        model: a `LightXML` or `LightDXML` with label names.
        output: see `write_report`.
        name: string. Its name on the page.
        config: the `Config` that it was trained by.
        metrics: dictionary, see `FitResult`.
        history: list of dictionaries, see `FitResult`.
        label_counts: `(counts, num_documents)` of the training documents.
        documents: optional documents, see `write_report`. Without them the report has
            training and `metrics` alone.

    Returns:
        The path of the folder of pictures.

    Raises:
        BadInput: the model knows none of the documents' labels.
    """
    from xmc_keras.evaluation.report.run_predictions import predict_documents
    from xmc_keras.evaluation.report.run_report import RunReport, make_report

    label_set = model.label_set
    names, relevant, predictions = label_set.names, None, None
    if documents is not None:
        check_labels_known(documents, label_set)
        relevant, names = _encode(documents, label_set, label_set.titles)
        known = relevant[:, : len(label_set)]
        predictions = predict_documents(model, documents, known, config)
    layer = getattr(model, "label_clusters", None)
    clusters = None if layer is None else np.asarray(layer.clusters)
    report = RunReport(name, config, metrics, history)
    report = make_report(report, label_counts, clusters, relevant, predictions)
    return _write([report], output, names, documents, relevant)


@contextlib.contextmanager
def reserve_report(output, overwrite=False):
    """Scope in which a report is written, and no other program writes there.

    Raises:
        BadInput: it may not be written there, or without `overwrite` there is one.
    """
    with PathLock(output, "to write to", "output"):
        check_output(output, overwrite)
        folder = pictures_folder(output)
        if folder.exists() and not overwrite:
            raise BadInput(
                "Expected no earlier pictures. Received: an existing folder.",
                folder,
                remedy=REMEDY,
            )
        if folder.exists() and any(path.suffix != ".png" for path in folder.iterdir()):
            raise BadInput(
                "Expected pictures of an earlier report. Received: other files in this "
                "folder.",
                folder,
                remedy="Choose another place with `output`.",
            )
        yield


def _encode(documents, label_set, titles):
    """Labels of documents as a csr matrix, and the titles or names of its columns."""
    unknown = dict.fromkeys(name for _, name in label_set.unknown(documents.labels))
    names = [titles.get(name, name) for name in (*label_set.names, *unknown)]
    return label_set.encode(documents.labels), names


def _write(reports, output, names, documents, relevant):
    """Writes the page and the folder of pictures, which is returned."""
    from xmc_keras.evaluation.report.page import make_page
    from xmc_keras.evaluation.report.pictures import draw_pictures

    images = draw_pictures(reports)
    text = make_page(reports, images, documents, relevant, names)
    folder = pictures_folder(output)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with explain_disk_errors(folder):
            part.mkdir(parents=True)
            for name, image in images.items():
                (part / f"{name}.png").write_bytes(image)
        # Both are complete before either gets its name.
        with atomic_write(output, lambda _: replace_folder(part, folder)) as file:
            file.write(text.encode())
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def pictures_folder(output):
    """The folder of a report's pictures.

    >>> pictures_folder("runs/report.html").as_posix()
    'runs/report_pictures'
    """
    output = Path(output)
    return output.with_name(f"{output.stem}_pictures")
