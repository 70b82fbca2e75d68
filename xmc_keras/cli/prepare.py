"""Turns data in any usual form into the folder that fit.py reads.

    python trainers/prepare.py their_data data/mine
    python trainers/prepare.py articles.csv data/mine --text-column title,body \\
        --label-column tags --label-separator ";" --test-share 0.1
    python trainers/prepare.py LF-AmazonTitles-131K data/titles --skip-bad-lines

SOURCE is a folder, or the file of the training part:

    folder      train_texts.txt or train_raw_texts.txt, and train_labels.txt, a document
                a line (AttentionXML, LightXML)
    repository  raw texts of the Extreme Classification Repository: trn.json.gz,
                tst.json.gz, lbl.json.gz, filter_labels_train.txt, ..._test.txt
    pecos       X.trn.txt, Y.trn.npz, X.tst.txt, Y.tst.npz and output-items.txt; or
                trn_X.txt and trn_X_Y.txt
    pecos-tsv   label ids with commas between, a tab, the text; names of labels in
                output-items.txt or output-labels.txt
    fasttext    __label__x __label__y the text
    csv, tsv    with a line of column names
    parquet     likewise (pip install "xmc-keras[parquet]")
    datasets    a folder that save_to_disk of the package datasets wrote

The format is found by names and first lines and said, unless --format names it. Files
may be compressed (.gz, .xz). The test part stands beside the training part (train.csv
and test.csv, trn.json and tst.json), or is --test, or is --test-share of the training
part, drawn by a hash of the text, so that no text is in both.

The labels that a filter file leaves out for a document go to test_filter.txt, and
evaluate.py leaves them out of the ranking.

What is bad stops it with file and line; --skip-bad-lines leaves such documents out and
counts them. The folder is there once it is whole. A program that was stopped goes on
with --resume. Memory: 8 bytes a document, and the names of the labels.
"""

import hashlib
import itertools
import logging
import os
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.cli.program import command_parser
from xmc_keras.data.formats.columns import Columns
from xmc_keras.data.formats.document import BadLines
from xmc_keras.data.formats.find_format import FORMATS, find_format
from xmc_keras.data.formats.find_parts import Options, find_parts
from xmc_keras.data.preparing.data_summary import format_summary, summarize_data
from xmc_keras.data.preparing.labels_fit_texts import (
    LEAST,
    measure_label_fit,
    sample_documents,
)
from xmc_keras.data.preparing.prepared_folder import KINDS, PARTS, PreparedFolder
from xmc_keras.progress import Bar

logger = logging.getLogger("prepare")

CHUNK = 1000  # documents written at a time
KEEP = 20_000  # documents from one note of how far it has come to the next


def main(argv=None):
    args = arguments(argv)
    target = Path(args.target)
    if args.resume and (target / "summary.json").exists():
        if not target.with_name(f"{target.name}.part").exists():
            return logger.info("%s is whole already", target)
    format = args.format or find_format(args.source)
    if not args.format:
        logger.info("The format is %s", format)
    bad_lines = {part: BadLines() for part in PARTS}
    readers = open_parts(args, format, bad_lines)
    settings = settings_of(args, format)
    folder = PreparedFolder(args.target, settings, args.resume, args.overwrite)
    make(folder, readers, bad_lines, args.test_share)


def make(folder, readers, bad_lines, test_share=None):
    """Fills a folder, tells what is in it and puts it in place.

    Args:
        folder: a `PreparedFolder`.
        readers: dictionary from part to its reader, as of `find_parts`.
        bad_lines: dictionary from part to the `BadLines` of what is left out.
        test_share: optional float, the share of training documents to test on.

    Returns:
        The summary, as of `summarize_data`.
    """
    try:
        prepare(folder, readers, bad_lines, test_share)
        summary = summed(folder, bad_lines)
        print(format_summary(summary))
        tell(folder, summary, bad_lines)
        folder.finish(summary)
    finally:
        folder.close()
    logger.info("Saved %s", folder.path)
    return summary


def open_parts(args, format, bad_lines):
    """The readers of the parts, with those lines left out that may be."""
    columns = Columns(args.text_column, args.label_column, args.label_separator)
    options = Options(columns, args.labels, args.prefix, not args.no_quotes)
    skip = bad_lines.get if args.skip_bad_lines else None
    readers = find_parts(args.source, format, args.test, options, skip)
    if args.test_share is not None and "test" in readers:
        raise BadInput(
            "Expected data without a test part for --test-share. Received: one. Leave "
            "--test-share out.",
            args.source,
        )
    return readers


def prepare(folder, readers, bad_lines, test_share):
    """Reads the parts to their ends, from where an earlier start was stopped."""
    state = folder.state
    for number, (part, reader) in enumerate(readers.items()):
        if number < state["parts_read"]:
            bad_lines[part].count = state["bad_lines"][part]
            continue
        bar = Bar(lambda: reader.share)
        documents, before = iter(reader), state["read"]
        while chunk := list(itertools.islice(documents, min(CHUNK, before or CHUNK))):
            if before:
                before -= len(chunk)
                bar.skip(len(chunk))
                continue
            put(folder, part, chunk, test_share)
            state["read"] += len(chunk)
            bar.advance(len(chunk))
            if state["read"] % KEEP == 0:
                folder.keep()
        bar.end()
        if before:
            raise BadInput(
                f"Expected {state['read']} documents or more, as an earlier start "
                f"read. Received: {state['read'] - before}. Start anew with "
                "--overwrite.",
                folder.part,
            )
        state["bad_lines"][part] = bad_lines[part].count
        state |= {"parts_read": number + 1, "read": 0}
        folder.keep()


def put(folder, part, chunk, test_share):
    """Adds documents to their parts."""
    if test_share is None:
        return folder.add(part, chunk)
    is_test = [drawn(document.text) < test_share for document in chunk]
    for name, wanted in (("train", False), ("test", True)):
        folder.add(name, [d for d, test in zip(chunk, is_test) if test == wanted])


def drawn(text):
    """A number in [0, 1), always the same of the same text."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=b"test").digest()
    return int.from_bytes(digest, "little") / 2**64


def summed(folder, bad_lines):
    """The summary of what was written."""
    parts = {}
    for part in PARTS:
        figures = {
            "hashes": folder.hashes(part),
            "words": folder.words[part],
            "bad_lines": bad_lines[part].count,
        }
        if len(figures["hashes"]):
            parts[part] = figures
    if "train" not in parts:
        first = bad_lines["train"].first
        raise BadInput(f"Expected documents to train on. Received: none. {first or ''}")
    summary = summarize_data(parts, folder.label_counts())
    summary["labels_fit_texts"] = None
    count = summary["train"]["documents"]
    sample = sample_documents(
        *(folder.part / f"train_{kind}.txt" for kind in KINDS[:2]), count
    )
    if (fit := measure_label_fit(*sample)) is not None:
        summary["labels_fit_texts"] = round(fit, 2)
    summary["renamed_labels"] = len(folder.labels.renamed())
    return summary


def tell(folder, summary, bad_lines):
    """Logs what a person should look at."""
    for part, found in bad_lines.items():
        if found.count:
            first = f" The first: {found.first}" if found.first else ""
            logger.warning("%s: %d documents left out.%s", *(part, found.count, first))
    fit = summary["labels_fit_texts"]
    if fit is not None and fit < LEAST:
        logger.warning(
            "Texts that share a label are no more alike than others (%.1f standard "
            "errors). Do the labels stand in the order of the texts?",
            fit,
        )
    if renamed := folder.labels.renamed():
        logger.info(
            "%d labels have white space or a name that was taken, and were renamed, as "
            "%r to %r: see renamed_labels.tsv",
            *(len(renamed), renamed[0][1], renamed[0][0]),
        )
    if "test" not in summary:
        logger.warning(
            "There is no test part, which fit.py needs: give --test or --test-share."
        )


def arguments(argv):
    """Parses and checks the command line.

    Raises:
        BadInput: arguments do not go together.
    """
    parser = command_parser("prepare", __doc__)
    parser.add_argument("source", help="a folder, or the file of the training part")
    parser.add_argument("target", help="the folder to write")
    parser.add_argument("--format", choices=FORMATS, help="(found by names and lines)")
    parser.add_argument("--test", metavar="FILE", help="the file of the test part")
    parser.add_argument(
        "--test-share", type=float, metavar="S", help="make a test part of that share"
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="names of labels, for formats with label ids"
    )
    parser.add_argument("--text-column", metavar="NAME", help="or several: title,body")
    parser.add_argument("--label-column", metavar="NAME")
    parser.add_argument(
        "--label-separator", metavar="S", help="between labels of a cell (white space)"
    )
    parser.add_argument(
        "--no-quotes", action="store_true", help='in csv, tsv: " is like any character'
    )
    parser.add_argument(
        "--prefix", default="__label__", help="of labels for fasttext (__label__)"
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave documents out that are no such, and count them, not stop",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on after a kill")
    again.add_argument("--overwrite", action="store_true", help="replace the target")
    args = parser.parse_args(argv)
    check(args)
    return args


def check(args):
    """Raises BadInput for arguments that do not go together."""
    if args.test_share is not None:
        if not 0 < args.test_share < 1:
            raise BadInput(
                f"Expected --test-share between 0 and 1. Received: {args.test_share}."
            )
        if args.test:
            raise BadInput("Expected --test or --test-share. Received: both.")
    if args.label_separator == "":
        raise BadInput("Expected a character for --label-separator. Received: none.")
    if not args.prefix.split():
        raise BadInput("Expected characters for --prefix. Received: none.")
    if Path(args.source).resolve() == Path(args.target).resolve():
        raise BadInput(
            "Expected a target that is not the source. Received: both in one.",
            args.target,
        )


def settings_of(args, format):
    """What the folder depends on: arguments, and the source as it is."""
    found = {"format": format}
    for name in ("test_share", "text_column", "label_column", "label_separator"):
        found[name] = getattr(args, name)
    found |= {"quotes": not args.no_quotes, "prefix": args.prefix}
    found["skip_bad_lines"] = args.skip_bad_lines
    for path in (args.source, args.test, args.labels):
        if path:
            paths = Path(path).rglob("*") if os.path.isdir(path) else [Path(path)]
            for file in sorted(file for file in paths if file.is_file()):
                stat = file.stat()
                found[str(file.resolve())] = f"{stat.st_size} bytes, {stat.st_mtime_ns}"
    return found
