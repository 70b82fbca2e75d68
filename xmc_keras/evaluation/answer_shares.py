"""Answers to the shares of a file, each of a program of its own, and their merge."""

import re
from pathlib import Path

from xmc_keras.evaluation.answer_file import AnswerFile
from xmc_keras.evaluation.write_answers import check_answers, write_answers
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.path_lock import remove_left
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.files.text_share import TextShare
from xmc_keras.progress import phase


def share_path(output, number, count):
    """Path of the answers to a share, next to those to all texts.

    >>> share_path("found.jsonl.gz", 2, 8).name, share_path("found", 2, 16).name
    ('found.share-2-of-8.jsonl.gz', 'found.share-02-of-16')
    """
    stem, kind = _split_name(output)
    width = len(str(count))
    return Path(output).with_name(f"{stem}.share-{number:0{width}}-of-{count}{kind}")


def find_shares(output):
    """The shares that are there, finished or not: a sorted list of (number, count)."""
    output = Path(output)
    stem, kind = map(re.escape, _split_name(output))
    pattern = rf"{stem}\.share-(\d+)-of-(\d+){kind}(\.part)?"
    folder = output.parent
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    found = filter(None, (re.fullmatch(pattern, name) for name in names))
    return sorted({(int(match[1]), int(match[2])) for match in found})


def check_shares_of(output, count):
    """Raises `BadInput` if there are shares of another number, of an earlier call."""
    others = [share for share in find_shares(output) if share[1] != count]
    if others:
        raise BadInput(
            f"Expected shares of {count}. Received: those of an earlier call with "
            f"{others[0][1]}.",
            share_path(output, *others[0]),
            remedy="Continue with as many `workers`, or start over with "
            "`overwrite=True`.",
        )


def remove_empty_shares(output, count):
    """Deletes what killed processes have left of shares before the first answer."""
    for number in range(1, count + 1):
        path = share_path(output, number, count)
        part = path.with_name(f"{path.name}.part")
        if part.exists() and part.stat().st_size == 0 and not path.exists():
            remove_shares(output, [(number, count)])
        remove_left(path, [])  # its lock


def remove_shares(output, shares):
    """Deletes the answers to shares, finished or not, and their settings."""
    for share in shares:
        path = share_path(output, *share)
        for name in (path.name, f"{path.name}.part", f"{path.name}.settings.json"):
            path.with_name(name).unlink(missing_ok=True)


def open_share(output, settings, file, share, resume=False, overwrite=False):
    """The `AnswerFile` of a share, whose settings stay until the shares are merged.

    Args:
        output: string or path of the answers to all texts.
        settings: dictionary, see `describe_answers`.
        file: the `TextShare`.
        share: tuple (number, count).
    """
    number, count = share
    settings = {**settings, "share": f"{number} of {count}", "text bytes": file.size}
    path = share_path(output, number, count)
    return AnswerFile(path, settings, resume, overwrite, is_share=True)


def count_shares(output):
    """The number of shares of an output; raises `BadInput` unless all are finished."""
    shares = find_shares(output)
    if not shares:
        raise BadInput(
            "Expected the answers to shares next to it, such as "
            f"{share_path(output, 1, 2).name}. Received: none.",
            output,
            remedy="Predict them with `share` first.",
        )
    counts = sorted({count for _, count in shares})
    if len(counts) > 1:
        raise BadInput(
            f"Expected shares of one number. Received: shares of {_join(counts)}.",
            output,
            remedy="Delete those that are not wanted.",
        )
    [count] = counts
    paths = {n: share_path(output, n, count) for n in range(1, count + 1)}
    parts = {n: path.with_name(f"{path.name}.part") for n, path in paths.items()}
    begun = [n for n, part in parts.items() if part.exists()]
    missing = [n for n, x in paths.items() if not x.exists() and n not in begun]
    received = [f"none to {_join(missing)}"] if missing else []
    received += [f"unfinished ones to {_join(begun)}"] if begun else []
    if received:
        raise BadInput(
            f"Expected the answers to {count} shares. Received: {', '.join(received)}.",
            output,
            remedy="Predict these shares, with `resume=True` if they are unfinished.",
        )
    return count


def read_shares(path, output, count, skip, lines):
    """Yields the texts of all shares in turn, and appends their answers to `lines`.

    Args:
        path: path of the texts.
        output: `AnswerFile` of all texts.
        count: int. The number of shares, all of them finished.
        skip: see `text_lines`.
        lines: list of strings.

    Raises:
        BadInput: the answers to a share were made with other settings or texts.
    """
    for number in range(1, count + 1):
        share = number, count
        at = share_path(output.path, *share)
        remedy = f"Predict share {number}/{count} again, with `overwrite=True`."
        with TextShare(path, *share) as file:
            answers = open_share(output.path, output.settings, file, share, resume=True)
            with answers:
                place = 0
                for place, text in enumerate(text_lines(path, file, skip), 1):
                    line = answers.kept(1)
                    check_answers(line, [text], place - 1, at, path, remedy)
                    lines.append(line[0].decode("utf-8").removesuffix("\n"))
                    yield text
                check_answers(answers.kept(1), [], place, at, path, remedy)


def merge_shares(path, output, skip=None):
    """Writes the answers to all shares to the file of all texts, and deletes them.

    Args:
        path: path of the texts.
        output: `AnswerFile` of all texts, closed afterwards. If it is finished, it is
            compared with the texts, and no share is read or deleted.
        skip: see `text_lines`.

    Returns:
        The number of texts in the output.
    """
    output.keep_part = False
    lines = []

    def answer(texts):
        found = lines[-len(texts) :]  # those before are kept from an earlier start
        lines.clear()
        return found

    with output, TextFile(path) as file, phase(f"Merging {output.path}"):
        if output.finished:  # shares that are there may be of another model
            return write_answers(
                text_lines(path, file, skip), output, answer, source=path
            )
        count = count_shares(output.path)
        texts = read_shares(path, output, count, skip, lines)
        found = write_answers(texts, output, answer, source=path)
        remove_shares(output.path, find_shares(output.path))
    return found


def _split_name(path):
    """The name of a file, and its kind, such as `.jsonl.gz`."""
    name, kind = Path(path).name, ""
    if name.endswith(".gz"):
        name, kind = name[:-3], ".gz"
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix + kind) if stem else (name, kind)


def _join(numbers):
    """Numbers as words, at most ten of them.

    >>> _join([3, 5, 7]), _join([3])
    ('3, 5 and 7', '3')
    """
    shown = [str(number) for number in numbers[:10]]
    if len(numbers) > 10:
        shown.append(f"{len(numbers) - 10} more")
    *before, last = shown
    return " and ".join(filter(None, (", ".join(before), last)))
