import json

import numpy as np
import pytest

from xmc_keras.files.bad_input import BadInput
from xmc_keras.serving.engines.version_answers import (
    VersionAnswers,
    decode_line,
    find_version,
)

TEXTS = [
    "sea",
    "",
    "caf\u00e9 \u65e5\u672c",
    'a "word"\t',
    *(f"text {i}" for i in range(40)),
]


@pytest.mark.parametrize("k", [None, 2])
def test_answers_are_those_of_the_model(named_version, named_model, k):
    lines = VersionAnswers(named_version, k, titles=True)(TEXTS)
    inputs = {"text": np.array([text.encode() for text in TEXTS], object)}
    expected = named_model.predict(inputs)
    assert len(lines) == len(TEXTS)
    for line, text, labels, scores in zip(
        lines, TEXTS, expected["labels"], expected["scores"]
    ):
        answer = json.loads(line)
        assert list(answer) == ["text", "labels", "scores", "titles"]
        assert answer["text"] == text and "\n" not in line
        assert answer["labels"] == [label.decode() for label in labels[:k]]
        assert answer["scores"] == pytest.approx(scores[:k].tolist(), abs=1e-6)
        titles = {"L0": "Sea & sky", "L4": "Gemüse"}
        assert answer["titles"] == [titles.get(x, x) for x in answer["labels"]]
    assert VersionAnswers(named_version)([]) == []


def test_versions(golden_version, tmp_path):
    assert find_version(golden_version) == golden_version
    for name in ("2", "10", "notes"):
        (tmp_path / name).mkdir()
    assert find_version(tmp_path) == tmp_path / "10"
    with pytest.raises(BadInput, match="Expected a folder with the versions"):
        find_version(tmp_path / "notes")
    with pytest.raises(BadInput, match="Expected a SavedModel that can be loaded."):
        VersionAnswers(tmp_path / "10")
    with pytest.raises(BadInput, match='loaded. Received: .*"select" not found'):
        VersionAnswers(golden_version, threshold=0.5)
    with pytest.raises(BadInput, match="one without. Leave out `titles`."):
        VersionAnswers(golden_version, titles=True)


def test_lines():
    for line, text in (
        (b"sea", "sea"),
        (b"sea\r", "sea"),
        (b"", ""),
        (b" \xc3\xbc\t", " \u00fc\t"),
        (b"\xef\xbb\xbfsea", "sea"),
        (b"caf\xe9", None),
        (b"\xed\xa0\x80", None),  # half of a pair of UTF-16
    ):
        assert decode_line(line) == text


@pytest.mark.parametrize(
    "command, package", [("beam-predict", "apache-beam"), ("spark-predict", "pyspark")]
)
def test_bad_input_of_the_commands(call, golden_version, tmp_path, command, package):
    into = "--input", tmp_path / "texts.txt", "--output", tmp_path / "found.jsonl"

    def refused(*arguments):
        result = call(command, *arguments, *into, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    assert "Expected a folder with the versions of a SavedModel" in refused(tmp_path)
    assert "k of at least 1. Received: 0." in refused(golden_version, "-k", 0)
    error = refused(golden_version, "--threshold", 1.5)
    assert "Expected a threshold from 0 to 1. Received: 1.5." in error
    error = refused(golden_version)
    assert f"Expected the package {package}. Received: none (" in error
