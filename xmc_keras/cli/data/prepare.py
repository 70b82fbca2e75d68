"""Convert data in any usual format to the folder that xmc fit reads.

    xmc prepare their_data data/mine
    xmc prepare articles.csv data/mine --text-column title,body \\
        --label-column tags --label-separator ";" --test-share 0.1
    xmc prepare LF-AmazonTitles-131K data/titles --skip-bad-lines

SOURCE is a folder, or the file of the training part:

    folder      train_texts.txt or train_raw_texts.txt, and train_labels.txt, one
                document per line (AttentionXML, LightXML)
    repository  raw texts of the Extreme Classification Repository: trn.json.gz,
                tst.json.gz, lbl.json.gz, filter_labels_train.txt, ..._test.txt
    json        one JSON object per line, with a text and a list of labels: strings,
                or objects with label or uri (Annif's corpora)
    pecos       X.trn.txt, Y.trn.npz, X.tst.txt, Y.tst.npz and output-items.txt; or
                trn_X.txt and trn_X_Y.txt
    pecos-tsv   label ids separated by commas, a tab, the text; names of labels in
                output-items.txt or output-labels.txt
    fasttext    __label__x __label__y the text
    csv, tsv    with a line of column names, or with --no-header and columns by number
    annif       Annif's corpora of short texts: the text, a tab, <uri> <uri>
    annif-folder  Annif's folders: a.txt with a.tsv or a.key, ...
    parquet     with named columns (pip install "xmc-keras[parquet]")
    datasets    a folder written by save_to_disk of the package datasets

The format is found by file names and first lines and printed, unless --format names
it. Files may be compressed (.gz, .xz) and are UTF-8. A part may be several files:
train-00000-of-00002.parquet, ... A file of another name is taken where it is the only
one in the folder. The test part is next to the training part (train.csv and test.csv,
trn.json and tst.json), or it is --test, or --test-share of the training part, drawn by
a hash of the text, so that no text is in both.

A label cell is a list (["a", "b"] of JSON, ['a', 'b'] of Python) or text with
separators. Vectors of 0 and 1 are read as such: place i, from 0, is label i, with the
name in line i + 1 of --labels. Several label columns of 0 and 1 are a label each:
--label-column toxic,obscene,insult.

With --group-column NAME the group of each training document, such as its author, goes
to train_groups.txt. --set validation_by=train_groups.txt of xmc fit then holds whole
groups back for validation, and --test-share draws whole groups for the test part. The
train_groups.txt of a folder is kept.

--label-texts FILE has titles and texts of the labels: a vocabulary in SKOS (Turtle or
RDF/XML; pip install "xmc-keras[skos]"), a table such as Annif's vocabularies
(uri,label_en,... or label,text), lines of a label, a tab and its text, or lbl.json.gz
of the Extreme Classification Repository. They go to label_titles.txt and
label_texts.txt, which those of the source go to, too. --label-language en chooses
among several. --uris names labels by their URIs, where Annif's corpora have URIs and
labels, and looks labels without a URI up in FILE.

The summary shows label names, and warnings where labels were probably read in another
way than meant: look at both.

The labels that a filter file leaves out for a document go to test_filter.txt, and
xmc evaluate leaves them out of the ranking.

A bad line stops the conversion with file and line; --skip-bad-lines leaves such
documents out and counts them. The folder appears when it is complete. An interrupted
command continues with --resume. Memory: 8 bytes per document, and the names of the
labels.
"""

import logging
from pathlib import Path

from xmc_keras.cli.program import WORDS, command_parser
from xmc_keras.cli.tables import align_columns
from xmc_keras.data.formats.find_format import FORMATS
from xmc_keras.data.preparing.data_summary import TAIL
from xmc_keras.data.preparing.prepare_data import prepare_data
from xmc_keras.files.bad_input import BadInput, replace_words

logger = logging.getLogger("prepare")


def main(argv=None):
    args = parse_arguments(argv)
    target = Path(args.target)
    if args.resume and (target / "summary.json").exists():
        if not Path(f"{target}.part").exists():
            return logger.info("%s is finished", target)
    leave_warnings_to_summary()
    summary = prepare_data(
        args.source,
        args.target,
        format=args.format,
        test=args.test,
        test_share=args.test_share,
        labels=args.labels,
        text_column=args.text_column,
        label_column=args.label_column,
        label_separator=args.label_separator,
        group_column=args.group_column,
        delimiter=args.delimiter,
        header=not args.no_header,
        quotes=not args.no_quotes,
        prefix=args.prefix,
        skip_bad_lines=args.skip_bad_lines,
        label_texts=args.label_texts,
        label_language=args.label_language,
        uris=args.uris,
        resume=args.resume,
        overwrite=args.overwrite,
    )
    print(format_summary(summary))


def leave_warnings_to_summary():
    """Leaves the warnings that `format_summary` shows out of the log."""
    logging.getLogger(prepare_data.__module__).addFilter(_is_not_in_summary)


def _is_not_in_summary(record):
    return not getattr(record, "in_summary", False)


def parse_arguments(argv):
    """Parses and checks the command line.

    Raises:
        BadInput: arguments exclude each other.
    """
    parser = command_parser("prepare", __doc__)
    parser.add_argument("source", help="a folder, or the file of the training part")
    parser.add_argument("target", help="the folder to write")
    parser.add_argument("--format", choices=FORMATS, help="(found by names and lines)")
    parser.add_argument("--test", metavar="FILE", help="the file of the test part")
    parser.add_argument(
        "--test-share", type=float, metavar="S", help="make a test part of this share"
    )
    parser.add_argument(
        "--labels", metavar="FILE", help="names of labels, for label ids and vectors"
    )
    parser.add_argument("--text-column", metavar="NAME", help="or several: title,body")
    parser.add_argument(
        "--label-column", metavar="NAME", help="or several of 0 and 1: toxic,insult"
    )
    parser.add_argument(
        "--label-separator",
        metavar="S",
        help="between labels of a cell (white space); \\t is a tab",
    )
    parser.add_argument(
        "--group-column",
        metavar="NAME",
        help="goes to train_groups.txt, for validation_by",
    )
    parser.add_argument(
        "--delimiter",
        metavar="C",
        help="between cells of csv, tsv (found by the first line); \\t is a tab",
    )
    parser.add_argument(
        "--no-header",
        action="store_true",
        help="csv, tsv have no line of column names: columns are numbers, from 1",
    )
    parser.add_argument(
        "--no-quotes", action="store_true", help='in csv, tsv: " is a plain character'
    )
    parser.add_argument(
        "--prefix", default="__label__", help="of labels for fasttext (__label__)"
    )
    parser.add_argument(
        "--label-texts",
        metavar="FILE",
        help="titles and texts of the labels: .ttl, .rdf, .csv, .tsv, lbl.json",
    )
    parser.add_argument(
        "--label-language", metavar="CODE", help="of titles and texts, such as en"
    )
    parser.add_argument(
        "--uris",
        action="store_true",
        help="name labels by their URIs, where Annif's corpora have both",
    )
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="leave bad documents out and count them, instead of stopping",
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="continue an interrupted command"
    )
    again.add_argument("--overwrite", action="store_true", help="replace the target")
    args = parser.parse_args(argv)
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
            "Expected a target that is not the source. Received: the same path.",
            args.target,
        )
    return args


def format_summary(summary):
    """Formats the result of `prepare_data`: a table, label names and warnings."""
    parts = [part for part in ("train", "test") if part in summary]
    rows = [["", *parts]]
    for key in summary[parts[-1]]:
        values = [summary[part].get(key, "") for part in parts]
        cells = [f"{value:,}" if value != "" else "" for value in values]
        rows.append([key.replace("_", " "), *cells])
    tail = summary["tail_labels"]
    lines = [
        align_columns(rows),
        f"{summary['labels']:,} labels; {tail:.1%} of the train labels have at most "
        f"{TAIL} documents there.",
    ]
    if "label_texts" in summary:
        lines.append(
            f"{summary['label_texts']:,} labels have a text, "
            f"{summary['label_titles']:,} a title."
        )
    for kind, names in summary["label_names"].items():
        shown = ", ".join(f"{name!r} ({count:,})" for name, count in names.items())
        if names:
            lines.append(f"{kind.replace('_', ' ').capitalize()}: {shown}")
    for warning in summary["warnings"]:
        lines.append(f"Warning: {replace_words(warning, WORDS)}")
    return "\n".join(lines)
