"""Show what runs do well and badly: one HTML page, and its pictures as PNG files.

    python trainers/report.py runs/quickstart
    python trainers/report.py runs/a runs/b --output a-and-b.html

The page needs no network and no other file: losses and P@k of training, P@k and PSP@k
by label frequency, recall of the candidates, calibration, clusters, most confused
labels, and twenty test documents with right and wrong labels marked. Several runs,
trained on the same data, stand side by side. The pictures lie beside it, in a folder of
its name with _pictures.

The test part is predicted once for each run, which takes as long as evaluate.py; the
predictions are kept in the run's folder, in report_predictions.npz.
"""

import logging
import shutil
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.arguments import check_output, write_output
from xmc_keras.cli.program import command_parser
from xmc_keras.data.documents import check_labels_known
from xmc_keras.data.filters import encode_filtered_labels
from xmc_keras.data.splits import read_part
from xmc_keras.files.atomic_files import replace_folder
from xmc_keras.runs.finished_runs import name_runs, open_finished_runs, read_metrics
from xmc_keras.runs.plot_curves import COLUMNS
from xmc_keras.runs.run_folder import MODELS
from xmc_keras.runs.run_history import read_history

logger = logging.getLogger("report")


def main(argv=None):
    parser = command_parser("report", __doc__)
    parser.add_argument("runs", nargs="+", metavar="run", help="run folders")
    parser.add_argument(
        "--output", default="report.html", metavar="FILE", help="(report.html)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier report"
    )
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad lines out and count them, instead of stopping; as in training",
    )
    args = parser.parse_args(argv)
    output = Path(args.output)
    folder = output.with_name(f"{output.stem}_pictures")
    runs = open_finished_runs(args.runs)
    for run in runs:
        read_history(run.history_path, COLUMNS)
    check_output(output, args.overwrite)
    if folder.exists() and not args.overwrite:
        raise BadInput(
            "Expected no earlier pictures. Received: some. Replace them with "
            "--overwrite, or choose another place with --output.",
            folder,
        )
    label_set, width = runs[0].label_set(), runs[0].num_features()
    test = read_part(runs[0].config().data, "test", args.skip_bad_lines, width)
    check_labels_known(test, label_set, args.skip_bad_lines)
    filtered = encode_filtered_labels(test, label_set)

    relevant = label_set.encode(test.labels)
    unknown = dict.fromkeys(name for _, name in label_set.unknown(test.labels))
    names = [*label_set.names, *unknown]
    known = relevant[:, : len(label_set)]
    from xmc_keras.evaluation.report.page import write_page
    from xmc_keras.evaluation.report.pictures import draw_pictures
    from xmc_keras.evaluation.report.run_predictions import predict_run
    from xmc_keras.evaluation.report.run_report import report_run

    reports = [
        report_run(
            name,
            run,
            read_metrics(run),
            relevant,
            predict_run(run, test, known, args.model, filtered),
        )
        for name, run in zip(name_runs(runs), runs)
    ]
    images = draw_pictures(reports)
    text = write_page(reports, images, test, relevant, names)
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, image in images.items():
            (part / f"{name}.png").write_bytes(image)
        replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_output(output, text)
    logger.info("Saved %s and %s", output, folder)
