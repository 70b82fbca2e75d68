"""Conversion of data in any usual format to the folder that training reads."""

import hashlib
import itertools
import logging
import os
import re
from pathlib import Path

from xmc_keras.data.formats.document import BadLines
from xmc_keras.data.formats.find_format import find_format
from xmc_keras.data.formats.find_parts import find_parts, find_vocabulary
from xmc_keras.data.formats.options import PREFIX, Options
from xmc_keras.data.preparing.data_summary import (
    count_described,
    find_repeats,
    select_names,
    summarize_data,
)
from xmc_keras.data.preparing.data_warnings import find_undescribed, find_warnings
from xmc_keras.data.preparing.labels_fit_texts import (
    LEAST,
    measure_label_fit,
    sample_documents,
)
from xmc_keras.data.preparing.prepared_folder import KINDS, PARTS, PreparedFolder
from xmc_keras.data.preparing.vocabularies.named_by_uri import NamedByUri
from xmc_keras.data.preparing.vocabularies.read_vocabulary import read_vocabulary
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.vocabulary import Vocabulary
from xmc_keras.progress import Bar

logger = logging.getLogger(__name__)

CHUNK = 1000  # documents written at a time
KEEP = 20_000  # documents between two notes of the progress


def prepare_data(
    source,
    target,
    format=None,
    test=None,
    test_share=None,
    labels=None,
    text_column=None,
    label_column=None,
    label_separator=None,
    quotes=True,
    prefix=PREFIX,
    skip_bad_lines=False,
    resume=False,
    overwrite=False,
    delimiter=None,
    header=True,
    group_column=None,
    label_texts=None,
    label_language=None,
    uris=False,
):
    """Converts data in any usual format to the folder that training reads.

    The folder appears when it is complete; an interrupted call continues with
    `resume=True`. Memory: 8 bytes per document, and the names of the labels.

    Args:
        source: string or path. A folder, or the file of the training part.
        target: string or path of the folder to write.
        format: optional string, one of `FORMATS` in
            `xmc_keras.data.formats.find_format`. By default it is found by file names
            and first lines.
        test: optional string or path. The file of the test part.
        test_share: optional float in (0, 1). The share of documents that becomes the
            test part, drawn by a hash of the text, or of the group if there are any.
        labels: optional path. Names of labels, for label ids and for vectors of zeros
            and ones.
        text_column, label_column: optional strings. Columns of tables, or fields of
            JSON; several are separated by commas. The texts of several columns are
            joined; several label columns hold 0 and 1 and are a label each.
        label_separator: optional string between labels of a cell. By default white
            space. Lists are read as such, whatever the separator.
        quotes: bool. Whether quotes have a meaning in CSV and TSV. Defaults to `True`.
        prefix: string before each label of fastText. Defaults to `"__label__"`.
        skip_bad_lines: bool. Leave bad documents out and count them, instead of raising
            an error. Defaults to `False`.
        resume: bool. Continue an unfinished folder. Defaults to `False`.
        overwrite: bool. Replace a prepared folder. Defaults to `False`.
        delimiter: optional string, the character between cells of CSV and TSV. By
            default it is found by the first line.
        header: bool. Whether the first line of CSV and TSV has the names of columns,
            which are otherwise numbers from 1. Defaults to `True`.
        group_column: optional string. The column with the group of each document, such
            as its author. It goes to `train_groups.txt`, for `validation_by`.
            By default there is none, but that of a folder is kept.
        label_texts: optional string or path. The file with titles and texts of the
            labels, see `read_vocabulary`, which go to `label_titles.txt` and
            `label_texts.txt`. By default those of the source are kept: its
            `lbl.json.gz`, or these two files.
        label_language: optional string. The language of titles and texts, see
            `read_vocabulary`.
        uris: bool. Whether labels that have a URI and a name, as in Annif's corpora,
            are named by the URI, and titled by the name. A name without a URI is looked
            up among the titles of `label_texts`. Defaults to `False`: the name is kept.

    Returns:
        Dictionary, the summary of the data, see `summarize_data`. `label_names` has the
        most frequent names and some others, with their numbers of documents;
        `warnings` are sentences on what was probably not meant, see `find_warnings`,
        which are also logged.

    Raises:
        BadInput: a file is missing or has bad lines, an option is for other formats, or
            the folder cannot be written.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     source = Path(folder, "articles.csv")
    ...     _ = source.write_text("text,labels\\na red rose,plant red\\n")
    ...     summary = prepare_data(source, Path(folder, "data"))
    >>> summary["train"]["documents"], summary["labels"]
    (1, 2)
    """
    options = Options(
        text_column,
        label_column,
        label_separator,
        labels,
        delimiter,
        header,
        quotes,
        prefix,
        group_column,
        uris,
    )
    if format is None:
        format = find_format(source, options, test)
        logger.info("The format is %s", format)
    bad_lines = {part: BadLines() for part in PARTS}
    skip = bad_lines.get if skip_bad_lines else None
    readers = find_parts(source, format, test, options, skip)
    if test_share is not None and "test" in readers:
        raise BadInput(
            "Expected data without a test part for a share of it. Received: one.",
            source,
            remedy="Leave out `test_share`.",
        )
    settings = {
        "format": format,
        "test_share": test_share,
        "text_column": text_column,
        "label_column": label_column,
        "label_separator": label_separator,
        "delimiter": delimiter,
        "header": header,
        "quotes": quotes,
        "prefix": prefix,
        "group_column": group_column,
        "skip_bad_lines": skip_bad_lines,
        "label_language": label_language,
        "uris": uris,
        **describe_files(target, source, test, labels, label_texts),
    }
    vocabulary, given = find_vocabulary(source, format, labels), None
    if label_texts is not None:
        given = read_vocabulary(label_texts, label_language)
        if uris:
            readers = {part: NamedByUri(x, given) for part, x in readers.items()}
    elif label_language is not None:
        raise BadInput(
            "Expected a file of texts for their language. Received: none.",
            remedy="Give `label_texts`, or leave out `label_language`.",
        )
    folder = PreparedFolder(target, settings, resume, overwrite)

    def describe_labels():
        found = vocabulary.over(Vocabulary(options.columns.titles))
        if given is None:
            return found
        known = dict(zip(folder.labels.ids, folder.labels.written))
        return given.of(known, label_texts).over(found)

    return fill_folder(
        folder,
        readers,
        bad_lines,
        test_share,
        lambda: options.separation(format),
        describe_labels,
    )


def describe_files(target, *paths):
    """Size and time of each file of the sources: what a folder depends on.

    The target may be a folder within the source; its files do not count. A source
    within the target raises `BadInput`, because it would be replaced with it.
    """
    found, target = {}, Path(target).resolve()
    ours = re.compile(rf"\.?{re.escape(target.name)}(\.(part|old|lock))?")
    for path in filter(None, paths):
        if target in (resolved := Path(path).resolve(), *resolved.parents):
            raise BadInput(
                "Expected a target without the source in it. Received: one that holds "
                f"{path}.",
                target,
                remedy="Choose another `target`.",
            )
        files = Path(path).rglob("*") if os.path.isdir(path) else [Path(path)]
        for file in sorted(file.resolve() for file in files if file.is_file()):
            above = dict(zip(file.parents, (file, *file.parents)))
            if target.parent in above and ours.fullmatch(above[target.parent].name):
                continue
            stat = file.stat()
            found[str(file)] = f"{stat.st_size} bytes, {stat.st_mtime_ns}"
    return found


def fill_folder(
    folder, readers, bad_lines, test_share=None, separation=None, describe_labels=None
):
    """Fills a folder and moves it into place.

    Args:
        folder: a `PreparedFolder`.
        readers: dictionary from part to its reader, see `find_parts`.
        bad_lines: dictionary from part to the `BadLines` of what is left out.
        test_share: optional float, the share of training documents to test on.
        separation: optional callable without arguments, after reading: how labels were
            separated, see `Options.separation`. By default they were not.
        describe_labels: optional callable without arguments, after reading: the
            `Vocabulary` of the labels. By default they have none.

    Returns:
        The summary, see `summarize_data`.
    """
    try:
        read_parts(folder, readers, bad_lines, test_share)
        if describe_labels is not None:
            try:
                folder.vocabulary = describe_labels()
            except BadInput:  # another file of texts starts over
                folder.discard()
                raise
        path = getattr(readers["train"], "path", None)
        summary = summarize_folder(folder, bad_lines, path, separation)
        log_warnings(folder, summary, bad_lines)
        folder.finish(summary)
    finally:
        folder.close()
    logger.info("Saved %s", folder.path)
    return summary


def read_parts(folder, readers, bad_lines, test_share):
    """Reads the parts to their ends, from where an earlier call was interrupted."""
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
            add_documents(folder, part, chunk, test_share)
            state["read"] += len(chunk)
            bar.advance(len(chunk))
            if state["read"] % KEEP == 0:
                folder.keep()
        bar.end()
        if before:
            raise BadInput(
                f"Expected {state['read']} documents or more, as an earlier call read. "
                f"Received: {state['read'] - before}.",
                folder.part,
                remedy="Start over with `overwrite=True`.",
            )
        state["bad_lines"][part] = bad_lines[part].count
        state |= {"parts_read": number + 1, "read": 0}
        folder.keep()


def add_documents(folder, part, chunk, test_share):
    """Adds documents to their parts."""
    if test_share is None:
        return folder.add(part, chunk)
    is_test = [hash_share(d.group or d.text) < test_share for d in chunk]
    for name, wanted in (("train", False), ("test", True)):
        folder.add(name, [d for d, test in zip(chunk, is_test) if test == wanted])


def hash_share(text):
    """A number in [0, 1), always the same for the same text."""
    digest = hashlib.blake2b(text.encode(), digest_size=8, person=b"test").digest()
    return int.from_bytes(digest, "little") / 2**64


def summarize_folder(folder, bad_lines, path=None, separation=None):
    """The summary of a filled folder, whose training part is from `path`."""
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
        raise BadInput(
            "Expected documents to train on. Received: none. "
            f"{f'The first: {first}' if first else ''}",
            path,
            remedy="Correct the lines, or check the format and the columns.",
        )
    names, counts = list(folder.labels.ids), folder.label_counts()
    summary = summarize_data(parts, counts)
    summary["labels_fit_texts"] = None
    texts, labels = (folder.part / f"train_{kind}.txt" for kind in KINDS[:2])
    sample = sample_documents(texts, labels, summary["train"]["documents"])
    if (fit := measure_label_fit(*sample)) is not None:
        summary["labels_fit_texts"] = round(fit, 2)
    summary["renamed_labels"] = len(folder.labels.renamed())
    summary["label_names"] = select_names(names, sum(counts.values()))
    repeats = find_repeats(texts, parts["train"]["hashes"])
    separation = separation() if separation else {}
    summary["warnings"] = find_warnings(
        names, counts, summary, sample, repeats, **separation
    )
    summary |= count_described(folder.vocabulary, names)
    if warning := find_undescribed(folder.vocabulary, names):
        summary["warnings"].append(warning)
    return summary


def log_warnings(folder, summary, bad_lines):
    """Logs what a person should look at."""
    for warning in summary["warnings"]:
        logger.warning("%s", warning, extra={"in_summary": True})
    for part, found in bad_lines.items():
        if found.count:
            first = f" The first: {found.first}" if found.first else ""
            logger.warning("%s: %d documents left out.%s", *(part, found.count, first))
    fit = summary["labels_fit_texts"]
    if fit is not None and fit < LEAST:
        logger.warning(
            "Texts that share a label are no more alike than others (%.1f standard "
            "errors). Are the labels in the order of the texts?",
            fit,
        )
    if renamed := folder.labels.renamed():
        logger.info(
            "%d labels have white space or a name that was taken, and were renamed, "
            "such as %r to %r: see renamed_labels.tsv",
            *(len(renamed), renamed[0][1], renamed[0][0]),
        )
    if "test" not in summary:
        logger.warning(
            "There is no test part, which xmc fit needs: give its file, or a share of "
            "the training part."
        )
