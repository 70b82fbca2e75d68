"""Write an HTML report on one or more runs, with its figures as PNG files.

    xmc report runs/quickstart
    xmc report runs/a runs/b --output a-and-b.html
    xmc report runs/quickstart --texts T.txt --labels L.txt

The page needs no network and no other file: losses and P@k of training, P@k and PSP@k
by label frequency, recall of the candidates, calibration, clusters, most confused
labels, and twenty test documents with right and wrong labels marked. Several runs,
trained on the same data, are shown side by side. The figures are in a folder next to
the page, with _pictures added to its name.

The test part, or the files --texts and --labels, is predicted once for each run, which
takes as long as xmc evaluate; the predictions are kept in the run's folder, in
report_predictions.npz.
"""

import logging
from pathlib import Path

from xmc_keras.cli.arguments import add_documents, given_documents
from xmc_keras.cli.program import command_parser
from xmc_keras.evaluation.report.write_report import reserve_report, write_report
from xmc_keras.runs.finished_runs import open_finished_runs
from xmc_keras.runs.read_history import COLUMNS, read_history
from xmc_keras.runs.read_test_part import read_test_part
from xmc_keras.runs.run_folder import MODELS

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
    add_documents(parser)
    parser.add_argument("--model", choices=MODELS, help="which of the runs' models")
    args = parser.parse_args(argv)
    given = given_documents(args)
    output = Path(args.output)
    runs = open_finished_runs(args.runs)
    for run in runs:
        read_history(run.history_path, COLUMNS)
        run.model_path(args.model)
    with reserve_report(output, args.overwrite):
        test = read_test_part(runs[0], **given)
        folder = write_report(runs, test, output, args.model)
    logger.info("Saved %s and %s", output, folder)
