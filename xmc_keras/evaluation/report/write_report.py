"""The report on finished runs: an HTML page, and its pictures as PNG files."""

import shutil
from pathlib import Path

from xmc_keras.data.check_documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.files.atomic_files import atomic_write, replace_folder
from xmc_keras.files.disk_error import explain_disk_errors
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
    from xmc_keras.evaluation.report.page import make_page
    from xmc_keras.evaluation.report.pictures import draw_pictures
    from xmc_keras.evaluation.report.run_predictions import predict_run
    from xmc_keras.evaluation.report.run_report import report_run

    filtered = encode_filtered_labels(documents, label_set)
    relevant = label_set.encode(documents.labels)
    unknown = dict.fromkeys(name for _, name in label_set.unknown(documents.labels))
    names = [*label_set.names, *unknown]
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
