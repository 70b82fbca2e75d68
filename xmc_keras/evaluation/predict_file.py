"""Label names and scores for any number of texts, as lines of JSON."""

import itertools
import json

from xmc_keras.data.formats.document import BadLines
from xmc_keras.evaluation.answer_file import AnswerFile, to_json
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.digests import digest_file
from xmc_keras.files.text_file import TextFile, text_lines
from xmc_keras.progress import Pace, phase
from xmc_keras.recommending.thresholds.target import Target

# A chunk holds this many texts or characters at most: enough to sort by length.
CHUNK, CHARACTERS = 4096, 32_000_000


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
):
    """Predicts labels for the lines of a file, and writes them to another file.

    The output has one JSON object per text: `{"text": ..., "labels": [...], "scores":
    [...]}`, best label first. It appears when it is complete; until then the answers
    are in `<output>.part`, and an interrupted call continues with `resume=True`.

    Args:
        run: a `RunFolder` of a run on texts.
        path: string or path. Texts, one per line; plain, `.gz` or `.xz`.
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

    Returns:
        The number of texts in the output.

    Raises:
        BadInput: a file cannot be read or written, the threshold cannot be chosen, the
            output was begun with other texts, another model, `k` or threshold, or the
            model has no titles.
    """
    if k is None and threshold is None:
        k = min(5, run.config().num_predictions)
    with TextFile(path) as file:
        texts = text_lines(path, file, BadLines() if skip_bad_lines else None)
        pace = Pace(lambda: file.share)
        asked = k, model, threshold, titles
        output = open_answers(run, output, *asked, resume, overwrite)
        return write_answers(run, texts, output, *asked, pace, path)


def open_answers(
    run,
    path,
    k=None,
    model=None,
    threshold=None,
    titles=False,
    resume=False,
    overwrite=False,
):
    """The `AnswerFile` of a run's answers."""
    settings = describe_answers(run, k, model, threshold, titles)
    return AnswerFile(path, settings, resume, overwrite)


def write_answers(
    run,
    texts,
    output,
    k=None,
    model=None,
    threshold=None,
    titles=False,
    pace=None,
    source=None,
):
    """Writes the answers to an iterable of texts, see `predict_file`.

    Args:
        texts: iterable of strings.
        output: an `AnswerFile`, closed afterwards.
        pace: optional `Pace`.
        source: optional path of the texts, for messages.

    Returns:
        The number of texts in the output.
    """
    pace = pace or Pace()
    with output:
        answer = answer_texts(run, k, model, threshold, titles)
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
        label_set = loaded[0].label_set if titles else None
        return [to_json(*pair, label_set) for pair in zip(texts, found)]

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


def check_answers(lines, texts, before, path, source):
    """Raises `BadInput` if lines of an earlier call, in `path`, answer other texts."""
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
                remedy="Start again with `overwrite=True`, or choose another `output`.",
            )
