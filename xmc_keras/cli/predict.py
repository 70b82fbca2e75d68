"""Predict label names and scores for texts.

    xmc predict runs/quickstart "A terminal text editor" "A puzzle game"
    xmc predict runs/quickstart -k 10 < texts.txt
    xmc predict runs/quickstart --input texts.txt --output found.jsonl
    xmc predict runs/quickstart --threshold precision=0.9 < texts.txt

Texts are arguments, lines of standard input, or lines of a file (plain, .gz, .xz). The
answers are one JSON object per text: {"text": ..., "labels": [...], "scores": [...]},
best label first. With --titles, or titles: true in the recipe, they have "titles", too:
what people call labels whose names are URIs or numbers. A label without a title has its
name there.

With --threshold all labels are answered whose score reaches it, which may be none, or
the -k best of them. It is a score from 0 to 1, or what it is chosen for on the
validation split of a calibrated run:

    f1, macro_f1    best F1, over all answers or as a mean over labels
    precision=0.9   as many labels as possible, of which 90 % are right
    recall=0.8      as few as possible, among them 80 % of a text's labels on average
    hit=0.9         as few as possible, with a right one for 90 % of the texts
    cost=2          least cost, if a wrong label costs 2 and a missed one 1

/band after one of these (f1/band) chooses a threshold for each band of labels by
frequency, and /label for each label with enough validation documents.

With --output they go to a file (plain or .gz), which appears when it is complete. An
interrupted command continues with --resume: its answers are in OUTPUT.part, in chunks
of at most 4,096 texts, and the resulting file has the same bytes as that of a single
command. Memory does not grow with the number of texts.
"""

import contextlib
import logging
import os
from pathlib import Path

from xmc_keras.cli.arguments import given_texts
from xmc_keras.cli.program import command_parser
from xmc_keras.data.check_documents import check_reads_texts
from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.predict_file import (
    answer_texts,
    open_answers,
    split_texts,
    write_answers,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.progress import Pace
from xmc_keras.recommending.thresholds.target import Target
from xmc_keras.runs.run_folder import MODELS, RunFolder

logger = logging.getLogger("predict")


def main(argv=None):
    parser = command_parser("predict", __doc__)
    parser.add_argument("run", help="a run folder, for example runs/quickstart")
    parser.add_argument("texts", nargs="*", help="texts (standard input, line by line)")
    parser.add_argument(
        "-k", type=int, help="labels per text (5, or num_predictions if it is less)"
    )
    parser.add_argument(
        "--threshold", metavar="TARGET", help="least score of a label (none)"
    )
    parser.add_argument("--model", choices=MODELS, help="which of the run's models")
    parser.add_argument(
        "--titles", action="store_true", help="titles of the labels, too"
    )
    parser.add_argument("--input", metavar="FILE", help="texts, one per line")
    parser.add_argument("--output", metavar="FILE", help="(standard output)")
    parser.add_argument(
        "--resume", action="store_true", help="continue an unfinished --output"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace an earlier --output"
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave out lines that are not UTF-8 and count them, instead of stopping",
    )
    # Intermixed, so that texts may follow options.
    args = parser.parse_intermixed_args(argv)
    run = RunFolder(args.run)
    config = run.config()
    check_reads_texts(run)
    run.model_path(args.model)
    if args.threshold is not None:
        args.threshold = Target.parse(args.threshold)
    elif args.k is None:
        args.k = min(5, config.num_predictions)
    check(args, config)
    bad_lines, pace, file = BadLines(), Pace(), None
    skip = bad_lines if args.skip_bad_lines else None
    with contextlib.ExitStack() as stack:
        if args.input:
            file = stack.enter_context(TextFile(args.input))
            pace = Pace(lambda: file.share)
            texts = text_lines(args.input, file, skip)
        else:
            texts = given_texts(args.texts, skip)
        asked = args.k, args.model, args.threshold, args.titles or config.titles
        if args.output:
            output = open_answers(run, args.output, *asked, args.resume, args.overwrite)
            count = write_answers(run, texts, output, *asked, pace, args.input)
            if output.finished:
                return logger.info("%s is finished", args.output)
            logger.info("%d texts answered in %s", count, args.output)
        else:
            answer = answer_texts(run, *asked)
            for chunk in split_texts(texts):
                for line in answer(chunk):
                    print(line, flush=True)
                pace.advance(len(chunk))
    if bad_lines.count:
        logger.warning(
            "%d bad lines left out. The first: %s", bad_lines.count, bad_lines.first
        )


def check(args, config):
    """Raises `BadInput` for arguments that exclude each other."""
    if args.k is not None and not 1 <= args.k <= config.num_predictions:
        raise BadInput(
            f"Expected -k between 1 and num_predictions of the run, "
            f"{config.num_predictions}. Received: {args.k}."
        )
    if args.input and args.texts:
        raise BadInput("Expected texts or --input. Received: both.")
    if args.resume and args.overwrite:
        raise BadInput("Expected --resume or --overwrite. Received: both.")
    if (args.resume or args.overwrite) and not args.output:
        raise BadInput(
            "Expected --output with --resume and --overwrite. Received: none."
        )
    if args.resume and not args.input:
        raise BadInput(
            "Expected --input with --resume, to find the text to continue from. "
            "Received: none."
        )
    if args.input and args.output and Path(args.output).exists():
        if os.path.exists(args.input) and os.path.samefile(args.input, args.output):
            raise BadInput(
                "Expected an output that is not the input. Received: the same file. "
                "Choose another with --output.",
                args.output,
            )
