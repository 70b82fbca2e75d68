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

Several processes or machines can share one plain file of texts:

    xmc predict runs/quickstart --input texts.txt --output found.jsonl --workers 2
    xmc predict runs/quickstart --input texts.txt --output found.jsonl --share 2/8
    xmc predict runs/quickstart --input texts.txt --output found.jsonl --merge

The first starts two processes on this machine, with a share of its cores and one of its
GPUs, if there are any, each. The second answers the second of eight shares of the file,
and writes found.share-2-of-8.jsonl; the third, once all of them are finished and lie
next to each other, makes found.jsonl of them. --resume works with each of these.
"""

import contextlib
import logging
import os
from pathlib import Path

from xmc_keras.cli.arguments import given_texts
from xmc_keras.cli.program import command_parser
from xmc_keras.data.check_documents import check_reads_texts
from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.answer_shares import merge_shares
from xmc_keras.evaluation.predict_file import answer_file
from xmc_keras.evaluation.write_answers import (
    answer_texts,
    open_answers,
    split_texts,
    write_answers,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.files.text_share import parse_share
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
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that share --input (1)"
    )
    parser.add_argument(
        "--share", metavar="I/N", help="answer one of N shares of --input only"
    )
    parser.add_argument(
        "--merge", action="store_true", help="merge the answers to all shares"
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
    if args.share is not None:
        args.share = parse_share(args.share)
    check(args, config)
    asked = args.k, args.model, args.threshold, args.titles or config.titles
    bad_lines = BadLines()
    skip = bad_lines if args.skip_bad_lines else None
    if args.output:
        count, output = write_output(args, run, asked, skip)
        if output.finished:
            return logger.info("%s is finished", output.path)
        logger.info("%d texts answered in %s", count, output.path)
    else:
        with open_texts(args, skip) as (texts, pace):
            answer = answer_texts(run, *asked)
            for chunk in split_texts(texts):
                for line in answer(chunk):
                    print(line, flush=True)
                pace.advance(len(chunk))
    if bad_lines.count:
        logger.warning(
            "%d bad lines left out. The first: %s", bad_lines.count, bad_lines.first
        )


def write_output(args, run, asked, skip):
    """Writes --output; returns the number of texts in it, and its `AnswerFile`."""
    again = args.resume, args.overwrite
    if args.merge:
        output = open_answers(run, args.output, asked, *again)
        return merge_shares(args.input, output, skip), output
    if args.input:
        options = skip, *again, args.share, args.workers
        return answer_file(run, args.input, args.output, asked, *options)
    texts = given_texts(args.texts, skip)
    output = open_answers(run, args.output, asked, *again)
    return write_answers(texts, output, answer_texts(run, *asked)), output


@contextlib.contextmanager
def open_texts(args, skip):
    """The texts, and a `Pace` for them."""
    if not args.input:
        yield given_texts(args.texts, skip), Pace()
        return
    with TextFile(args.input) as file:
        yield text_lines(args.input, file, skip), Pace(lambda: file.share)


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
    shared = {"--workers": args.workers is not None, "--share": args.share is not None}
    named = [name for name, given in {**shared, "--merge": args.merge}.items() if given]
    if len(named) > 1:
        raise BadInput(
            f"Expected one of --workers, --share and --merge. Received: "
            f"{' and '.join(named)}."
        )
    if named and not (args.input and args.output):
        raise BadInput(
            f"Expected --input and --output with {named[0]}. Received: not both."
        )
    if args.input and args.output and Path(args.output).exists():
        if os.path.exists(args.input) and os.path.samefile(args.input, args.output):
            raise BadInput(
                "Expected an output that is not the input. Received: the same file. "
                "Choose another with --output.",
                args.output,
            )
