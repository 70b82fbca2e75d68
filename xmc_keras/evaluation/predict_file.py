"""Label names and scores for any number of texts, as lines of JSON."""

from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.answer_shares import (
    check_shares_of,
    find_shares,
    merge_shares,
    open_share,
    remove_empty_shares,
    remove_shares,
)
from xmc_keras.evaluation.share_workers import check_workers, run_workers
from xmc_keras.evaluation.write_answers import (
    answer_texts,
    describe_answers,
    open_answers,
    write_answers,
)
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.files.text_share import TextShare, check_share
from xmc_keras.progress import Pace, phase
from xmc_keras.recommending.thresholds.target import Target


def predict_file(
    run,
    path,
    output,
    k=None,
    model=None,
    resume=False,
    overwrite=False,
    skip_bad_lines=False,
    threshold=None,
    titles=False,
    share=None,
    workers=None,
):
    """Predicts labels for the lines of a file, and writes them to another file.

    The output has one JSON object per text: `{"text": ..., "labels": [...], "scores":
    [...]}`, best label first. It appears when it is complete; until then the answers
    are in `<output>.part`, and an interrupted call continues with `resume=True`.

    Several programs, on one machine or many, can share one file of texts: with
    `share=(2, 8)` this call answers the second of eight shares and writes
    `found.share-2-of-8.jsonl` next to `found.jsonl`; once all are finished and lie
    next to each other, `merge_answers` makes `found.jsonl` of them. With `workers=2`
    this call does all that by two processes of this machine.

    The texts and their order are those of one process. So are labels and scores of a
    model that reads words. A transformer computes texts of like length together, padded
    to the longest, and a share has others to choose from: scores may differ by about
    1e-6, and labels whose scores are that close may change places.

    Args:
        run: a `RunFolder` of a run on texts.
        path: string or path. Texts, one per line; plain, `.gz` or `.xz`, but plain to
            be cut into shares.
        output: string or path. Plain or `.gz`.
        k: optional int. Labels per text. Defaults to `5`, or with a `threshold` to as
            many as reach it.
        model: optional string. Which of the run's models; the best one by default.
        resume: bool. Continue an unfinished output. Defaults to `False`.
        overwrite: bool. Replace an output. Defaults to `False`.
        skip_bad_lines: bool. Leave out lines that are not UTF-8. Defaults to `False`.
        threshold: optional float or string: the least score of a label, see
            `choose_thresholds`.
        titles: bool. Whether answers have the `titles` of labels, too; that of a label
            without one is its name. Defaults to `False`.
        share: optional tuple `(number, count)`. The share to answer, from 1; see
            `TextShare`. Defaults to the whole file.
        workers: optional int, at most the number of cores. Processes that answer a
            share each, with a share of the cores, and one of the GPUs if there are any.
            If one fails, all end. Defaults to none but this one.

    Returns:
        The number of texts in the output.

    Raises:
        BadInput: a file cannot be read or written, the threshold cannot be chosen, the
            output was begun with other texts, another model, `k` or threshold, the
            model has no titles, or there is no such share.
    """
    if share is not None and workers is not None:
        raise BadInput("Expected a share or workers. Received: both.")
    asked = complete_asked(run, k, model, threshold, titles)
    skip = BadLines() if skip_bad_lines else None
    options = skip, resume, overwrite, share, workers
    return answer_file(run, path, output, asked, *options)[0]


def merge_answers(
    run,
    path,
    output,
    k=None,
    model=None,
    resume=False,
    overwrite=False,
    skip_bad_lines=False,
    threshold=None,
    titles=False,
):
    """Merges the answers to the shares of a file into one file, and deletes them.

    Each was written by `predict_file(..., share=...)` with the same arguments, and lies
    next to the output. The texts are read again, and each answer is compared with the
    text that it is for. No model is loaded.

    Args:
        run, path, output, k, model, resume, overwrite, skip_bad_lines, threshold,
            titles: see `predict_file`.

    Returns:
        The number of texts in the output.

    Raises:
        BadInput: a share is missing or unfinished, or was made by another model, with
            other arguments or from other texts; see also `predict_file`.
    """
    asked = complete_asked(run, k, model, threshold, titles)
    output = open_answers(run, output, asked, resume, overwrite)
    return merge_shares(path, output, BadLines() if skip_bad_lines else None)


def complete_asked(run, k=None, model=None, threshold=None, titles=False):
    """What is asked for, `(k, model, threshold, titles)`, with the default of `k`."""
    if k is None and threshold is None:
        k = min(5, run.config().num_predictions)
    return k, model, threshold, titles


def answer_file(
    run,
    path,
    output,
    asked,
    skip=None,
    resume=False,
    overwrite=False,
    share=None,
    workers=None,
    pace=Pace,
):
    """Answers the lines of a file, see `predict_file`.

    Args:
        asked: tuple, see `complete_asked`.
        skip: see `text_lines`.
        pace: function that makes a `Pace` from a function to the share done.

    Returns:
        The number of texts in the output, and its closed `AnswerFile`.
    """
    if workers is not None:
        options = skip, resume, overwrite, workers
        return answer_in_workers(run, path, output, asked, *options)
    file = TextFile(path) if share is None else TextShare(path, *check_share(share))
    with file:
        if share is None:
            answers = open_answers(run, output, asked, resume, overwrite)
        else:
            settings = describe_answers(run, *asked)
            answers = open_share(output, settings, file, share, resume, overwrite)
        texts = text_lines(path, file, skip)
        done = pace(lambda: file.share)
        count = write_answers(texts, answers, answer_texts(run, *asked), done, path)
    return count, answers


def answer_in_workers(run, path, output, asked, skip, resume, overwrite, workers):
    """The same by several processes, whose answers are merged."""
    check_workers(workers)
    with TextShare(path, 1, workers):  # so that it can be cut
        pass
    answers = open_answers(run, output, asked, resume, overwrite)
    with answers:
        if not answers.finished:
            if overwrite:
                remove_shares(output, find_shares(output))
            check_shares_of(output, workers)
            k, model, threshold, titles = asked
            threshold = None if threshold is None else str(Target.parse(threshold))
            job = {
                "run": str(run.path),
                "path": str(path),
                "output": str(output),
                "asked": [k, model, threshold, titles],
                "skip": skip is not None,
                "resume": resume,
            }
            jobs = [{**job, "share": [n + 1, workers]} for n in range(workers)]
            try:
                with phase(f"Predicting in {workers} processes"):
                    run_workers(jobs)
            except BaseException:
                remove_empty_shares(output, workers)
                raise
        return merge_shares(path, answers, skip), answers
