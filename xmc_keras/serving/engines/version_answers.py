"""Answers of an exported version to texts, as lines of JSON."""

import codecs
import functools
import logging
from pathlib import Path

import numpy as np

from xmc_keras.evaluation.answer_file import to_json
from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.server.find_versions import check_versions, find_versions


class VersionAnswers:
    """An exported version that answers texts, as `xmc predict` does.

    It needs TensorFlow, TensorFlow Text, NumPy and SciPy only, so that it runs in the
    environments of engines for many machines. The answers are those of the SavedModel,
    which computes in float32.

    Args:
        path: string or path of the version, see `find_version`.
        k: optional int. Labels per text. Defaults to those that the export answers, or
            with a `threshold` to as many as reach it.
        threshold: optional float from 0 to 1. The least score of a label.
        titles: bool. Whether answers have the `titles` of labels, too. Defaults to
            `False`.

    Raises:
        BadInput: the version cannot be loaded, reads no texts or has no titles.
    """

    def __init__(self, path, k=None, threshold=None, titles=False):
        # TensorFlow takes seconds to import, and is not needed to hand work out.
        from xmc_keras.serving.server.served_model import ServedModel

        # The loader that it uses is deprecated, for all but servers.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
        self._k, self._threshold = k, threshold
        name = "serving_default" if k is None else "top_k"
        self._signature = name if threshold is None else "select"
        try:
            self._model = ServedModel(path)
            inputs = self._model.signature(self._signature).inputs
        except Exception as error:  # any of TensorFlow's
            reason = " ".join(str(error).split())
            raise BadInput(
                f"Expected a SavedModel that can be loaded. Received: {reason:.300}.",
                path,
            ) from None
        self._search = self._model.label_search if titles else None
        if "text" not in inputs:
            raise BadInput(
                f"Expected an export that reads texts. Received: one that reads "
                f"{', '.join(inputs)}.",
                path,
            )
        if titles and not self._search.has_titles:
            raise BadInput(
                "Expected an export with titles of labels. Received: one without.",
                path,
                remedy="Leave out `titles`.",
            )

    def __call__(self, texts):
        """Answers a list of strings; returns as many lines of JSON, without ends."""
        texts = list(texts)
        inputs = {"text": np.array([text.encode("utf-8") for text in texts], object)}
        if self._threshold is not None:
            inputs["threshold"] = np.float32(self._threshold)
        elif self._k is not None:
            inputs["k"] = np.int32(self._k)
        found = self._model.predict(inputs, self._signature)
        rows = zip(texts, found["labels"].tolist(), found["scores"].tolist())
        return [self._to_line(*row) for row in rows]

    def _to_line(self, text, labels, scores):
        found = [(x.decode("utf-8"), s) for x, s in zip(labels, scores) if x]
        titles = None
        if self._search is not None:
            names = [label for label, _ in found]
            pairs = zip(names, self._search.titles_of(names))
            titles = {label: title for label, title in pairs if title}
        return to_json(text, found[: self._k], titles)


@functools.lru_cache(1)
def load_answers(*arguments):
    """A `VersionAnswers`, loaded once in each process."""
    return VersionAnswers(*arguments)


def find_version(folder):
    """The newest version of an export, or the folder if it is a version itself.

    Raises:
        BadInput: there is none.
    """
    if Path(folder, "saved_model.pb").is_file():
        return Path(folder)
    check_versions(folder)
    versions = find_versions(folder)
    return versions[max(versions)]


def check_asked(k=None, threshold=None):
    """Raises `BadInput` for what no version can answer."""
    if k is not None and k < 1:
        raise BadInput(f"Expected k of at least 1. Received: {k}.")
    if threshold is not None and not 0 <= threshold <= 1:
        raise BadInput(f"Expected a threshold from 0 to 1. Received: {threshold}.")


def decode_line(line):
    r"""The text of a line of bytes, `None` if it is not UTF-8.

    A byte order mark goes, whatever the place of the line: an engine that cuts a file
    does not know which line is the first.

    >>> decode_line(b"\xef\xbb\xbfsea\r\n"), decode_line(b"caf\xe9")
    ('sea', None)
    """
    try:
        return line.removeprefix(codecs.BOM_UTF8).decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return None


def split_name(output):
    """The path of an output up to its suffix, and its suffix.

    >>> split_name("gs://a.b/found.jsonl"), split_name("a.b/found")
    (('gs://a.b/found', '.jsonl'), ('a.b/found', ''))
    """
    folder, slash, name = output.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    return (f"{folder}{slash}{stem}", dot + suffix) if stem else (output, "")
