"""Answers to texts, as lines of JSON, and the file that they are written to."""

import itertools
import json

from xmc_keras.evaluation.answer_file import AnswerFile, to_json
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import digest_file
from xmc_keras.progress import Pace, phase
from xmc_keras.recommending.thresholds.target import Target

# A chunk holds this many texts or characters at most: enough to sort by length.
CHUNK, CHARACTERS = 4096, 32_000_000
OTHER_TEXTS = "Start again with `overwrite=True`, or choose another `output`."


def open_answers(run, path, asked, resume=False, overwrite=False):
    """The `AnswerFile` of a run's answers.

    Args:
        asked: tuple of `k`, `model`, `threshold` and `titles`, see `predict_file`.
    """
    return AnswerFile(path, describe_answers(run, *asked), resume, overwrite)


def write_answers(texts, output, answer, pace=None, source=None):
    """Writes the answers to an iterable of texts.

    Args:
        texts: iterable of strings.
        output: an `AnswerFile`, closed afterwards.
        answer: function from a list of texts to lines of JSON, see `answer_texts`. It
            is not called for texts whose answers an earlier start has written.
        pace: optional `Pace`.
        source: optional path of the texts, for messages.

    Returns:
        The number of texts in the output.
    """
    pace = pace or Pace()
    with output:
        for chunk in split_texts(texts):
            kept = output.kept(len(chunk))
            if kept or output.finished:
                check_answers(kept, chunk, pace.done, output.kept_path, source)
                pace.skip(len(chunk))
                continue
            output.write(answer(chunk))
            pace.advance(len(chunk))
        if output.finished:  # there must be no more answers than texts
            check_answers(output.kept(1), [], pace.done, output.kept_path, source)
        output.finish()
    return pace.done


def answer_texts(run, k=None, model=None, threshold=None, titles=False):
    """A function from texts to lines of JSON. It loads the model when first called."""
    loaded = []

    def answer(texts):
        if not loaded:  # TensorFlow takes seconds to import
            with phase(f"Loading {run.path}"):
                loaded.append(run.load_model(model))
            if titles and not loaded[0].label_set.titles:
                raise BadInput(
                    "Expected a model with titles of labels. Received: one without.",
                    run.path,
                    remedy="Leave out `titles`, or train it on data with "
                    "label_titles.txt.",
                )
        with phase(f"Predicting labels for {len(texts)} texts"):
            size = run.config().predict_batch_size
            found = loaded[0].recommend(texts, k, size, threshold)
        shown = loaded[0].label_set.titles if titles else None
        return [to_json(*pair, shown) for pair in zip(texts, found)]

    return answer


def split_texts(texts):
    """Yields lists of texts, cut at places that depend on the texts alone."""
    chunk, characters = [], 0
    for text in texts:
        chunk.append(text)
        characters += len(text)
        if len(chunk) == CHUNK or characters >= CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk


def describe_answers(run, k, model, threshold, titles=False):
    """What answers depend on besides their texts, a dictionary for JSON."""
    path = run.model_path(model)
    return {
        "threshold": None if threshold is None else str(Target.parse(threshold)),
        "model": f"{path.name} {digest_file(path)[:16]}",
        "k": k,
        **({"titles": True} if titles else {}),  # as earlier releases wrote it
        "predict_batch_size": run.config().predict_batch_size,
        "chunk": [CHUNK, CHARACTERS],
    }


def check_answers(lines, texts, before, path, source, remedy=OTHER_TEXTS):
    """Raises `BadInput` if lines are not the answers to texts.

    Args:
        lines: iterable of bytes or strings.
        texts: iterable of strings.
        before: int. The number of lines before them.
        path: path of the lines.
        source: path of the texts.
        remedy: string, see `BadInput`.
    """
    pairs = itertools.zip_longest(lines, texts)
    for number, (line, text) in enumerate(pairs, before + 1):
        try:
            same = json.loads(line)["text"] == text
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise BadInput(
                "Expected the texts that the output was begun with. Received: another "
                f"text at place {number} of {path}.",
                source,
                remedy=remedy,
            )
