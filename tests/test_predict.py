import json
import shutil

import pytest
from conftest import start

from xmc_keras.run_folder import RunFolder

TEXTS = ["word3a word3b", "word4a word4c word9a word9b"]


def answers(stdout):
    assert stdout == "" or stdout.endswith("\n")
    return [json.loads(line) for line in stdout.split("\n")[:-1]]


def test_the_program_answers_lines_of_standard_input(tiny_run):
    process = start("predict", tiny_run.folder, "-k", "3", stdin=-1)
    lines = "\n".join([*TEXTS, "", "café 日本\r", TEXTS[0]])
    stdout, stderr = process.communicate(lines.encode())
    assert process.returncode == 0, stderr
    found = answers(stdout.decode())
    assert [a["text"] for a in found] == [*TEXTS, "", "café 日本", TEXTS[0]]
    for answer in found:
        assert list(answer) == ["text", "labels", "scores"]
        assert len(set(answer["labels"])) == len(answer["scores"]) == 3
        assert 1 >= answer["scores"][0] >= answer["scores"][1] >= answer["scores"][2]
    assert found[0]["labels"] == found[4]["labels"]
    assert "Traceback" not in stderr.decode() and "Warning" not in stderr.decode()


def test_texts_as_arguments(tiny_run, call):
    # Texts behind options, as in the Makefile.
    arguments = [tiny_run.folder, "-k", "5", "--model", "averaged", *TEXTS, "\n"]
    result = call("predict", *arguments)
    assert result.status == 0
    found = answers(result.stdout)
    assert [a["text"] for a in found] == [*TEXTS, ""]
    model = RunFolder(tiny_run.folder).load_model("averaged")
    for answer, row in zip(found, model.recommend([*TEXTS, ""], k=5), strict=True):
        assert answer["labels"] == [name for name, _ in row]
        assert answer["scores"] == pytest.approx([s for _, s in row], abs=1e-6)


def test_more_lines_than_are_held_in_memory(tiny_run, call, monkeypatch):
    chunks, given = [], [f"text {i}" for i in range(8)]

    class Model:
        def recommend(self, texts, k, batch_size):
            chunks.append(len(texts))
            return [[(f"label of {text}", 0.5)] for text in texts]

    monkeypatch.setattr("predict.CHUNK", 3)
    monkeypatch.setattr(RunFolder, "load_model", lambda run, name: Model())
    result = call("predict", tiny_run.folder, stdin="\n".join(given).encode())
    assert chunks == [3, 3, 2]
    assert answers(result.stdout) == [
        {"text": text, "labels": [f"label of {text}"], "scores": [0.5]}
        for text in given
    ]


def test_nothing_to_answer(tiny_run, call):
    result = call("predict", tiny_run.folder, stdin=b"", tensorflow=False)
    assert (result.status, result.stdout, result.stderr) == (0, "", "")


def test_bad_input(tiny_run, tmp_path, call):
    def refused(*arguments, stdin=b"text"):
        result = call("predict", *arguments, stdin=stdin, tensorflow=False)
        assert (result.status, result.stdout) == (2, "")
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        return result.stderr

    error = refused(tiny_run.folder, stdin=b"good\ncaf\xe9\n")
    assert "standard input:2: Expected UTF-8. Received: byte 0xe9 at offset 3." in error
    assert "argument:2: Expected UTF-8." in refused(tiny_run.folder, "good", "\udce9")
    for k in (0, -1, 11):
        error = refused(tiny_run.folder, "-k", k)
        assert "-k between 1 and num_predictions of the run, 10. " in error
    assert "with config.yaml in it. Received: none" in refused(tmp_path / "none")
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    (tmp_path / "run/best.keras").unlink()
    assert "best.keras" in refused(tmp_path / "run", "--model", "best")
