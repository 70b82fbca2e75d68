import gzip
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.parrot import expected_answers as expected
from tests.helpers.parrot import install_parrot
from tests.helpers.parrot import read_answers as answers
from tests.helpers.programs import start
from xmc_keras.runs.run_folder import RunFolder

TEXTS = ["word3a word3b", "word4a word4c word9a word9b"]


@pytest.mark.large
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


@pytest.fixture
def parrot(monkeypatch):
    return install_parrot(monkeypatch)


def test_more_lines_than_are_held_in_memory(tiny_run, call, parrot):
    given = [f"text {i}" for i in range(8)]
    result = call("predict", tiny_run.folder, stdin="\n".join(given).encode())
    assert parrot.chunks == [3, 3, 2]
    assert answers(result.stdout) == expected(given)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_byte_order_mark_is_no_text(tiny_run, tmp_path, call, parrot, mark):
    content = f"{mark}word1 thing1\r\nword2\r\n\r\nword3".encode()
    (tmp_path / "in.txt").write_bytes(content)
    given = ["word1 thing1", "word2", "", "word3"]
    for arguments, stdin in (
        ([], content),
        (["--input", tmp_path / "in.txt"], b""),
        ([mark + text for text in given], b""),
    ):
        result = call("predict", tiny_run.folder, *arguments, stdin=stdin)
        assert answers(result.stdout) == expected(given)


def test_long_texts_end_a_chunk(tiny_run, call, parrot, monkeypatch):
    monkeypatch.setattr("xmc_keras.evaluation.write_answers.CHARACTERS", 10)
    call("predict", tiny_run.folder, stdin=b"long long text\na\nb\nc\nd\n")
    assert parrot.chunks == [1, 3, 1]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("stop", range(4))
@pytest.mark.parametrize("torn", [0, 1, 7])
def test_stopped_anywhere_it_resumes_to_the_same_bytes(
    tiny_run, call, parrot, tmp_path, suffix, stop, torn
):
    given = ["sea", "", "caf\u00e9 \u65e5\u672c", *(f"text {i}" for i in range(7))]
    texts, whole, output = (tmp_path / n for n in ("t.gz", "w" + suffix, "o" + suffix))
    texts.write_bytes(gzip.compress("\n".join(given).encode()))
    result = call("predict", tiny_run.folder, "--input", texts, "--output", whole)
    assert (result.status, result.stdout) == (0, "")
    opened = gzip.open if suffix else open
    with opened(whole, "rt", encoding="utf-8") as file:
        assert answers(file.read()) == expected(given)
    parrot.chunks.clear()
    parrot.stop = stop
    into = ("--input", texts, "--output", output)
    assert call("predict", tiny_run.folder, *into).status == 130
    part = Path(f"{output}.part")
    assert not output.exists() and part.exists() == (stop > 0)
    if part.exists():  # as a kill within a write leaves it
        os.truncate(part, part.stat().st_size - torn)
        error = call("predict", tiny_run.folder, *into, tensorflow=False).stderr
        assert "Expected no unfinished output. Received: one." in error
    parrot.stop = None
    parrot.chunks.clear()
    result = call("predict", tiny_run.folder, *into, "--resume")
    assert result.status == 0, result.stderr
    assert output.read_bytes() == whole.read_bytes()
    assert parrot.chunks == [3, 3, 3, 1][max(0, stop - (torn > 0)) :]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        p.name for p in (texts, whole, output)
    )


def test_resume_where_something_changed(tiny_run, call, parrot, tmp_path, monkeypatch):
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_text("a\nb\nc\nd\n")
    into = ("--input", texts, "--output", output)
    parrot.stop = 1
    call("predict", tiny_run.folder, *into)

    def refused(*arguments):
        result = call("predict", tiny_run.folder, *into, "--resume", *arguments)
        assert (result.status, result.stderr.count("\n")) == (2, 1)
        return result.stderr

    assert "k was 5, is 4. Start over with --overwrite" in refused("-k", 4)
    assert "model was best.keras" in refused("--model", "averaged")
    texts.write_text("a\nb\nother\nd\n")
    assert f"another text at place 3 of {output}.part" in refused()
    settings = tmp_path / "found.jsonl.settings.json"
    kept = settings.read_text()
    settings.write_text(kept[:5])
    assert "no such file, or a damaged one" in refused()
    settings.write_text(kept)
    with another_process_writes(output) as other:
        assert f"one that process {other.pid} on " in refused()
    parrot.stop = None
    assert call("predict", tiny_run.folder, *into, "--overwrite").status == 0
    assert answers(output.read_text())[2]["text"] == "other"
    error = call("predict", tiny_run.folder, *into, tensorflow=False).stderr
    assert "Expected an output that does not exist. Received: a file." in error
    # Killed between the rename and the removal of the settings: nothing is left.
    settings.write_text(kept)
    before = output.stat().st_mtime_ns
    assert call("predict", tiny_run.folder, *into, "--resume").status == 0
    assert output.stat().st_mtime_ns == before and not settings.exists()


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_finished_output_is_not_begun_again(
    tiny_run, call, parrot, tmp_path, suffix, caplog
):
    texts, output = tmp_path / "texts.txt", tmp_path / f"new/found.jsonl{suffix}"
    texts.write_text("a\nb\nc\nd\n")
    into = ("--input", texts, "--output", output, "--resume")
    assert call("predict", tiny_run.folder, *into).status == 0
    whole, files = output.read_bytes(), sorted(tmp_path.rglob("*"))
    with caplog.at_level("INFO"):
        result = call("predict", tiny_run.folder, *into, tensorflow=False)
    assert (result.status, result.stderr) == (0, "")
    assert f"{output} is finished" in caplog.text
    # Only if these texts are answered in it.
    for other, place in (
        ("a\nb\nx\nd\n", 3),
        ("a\nb\nc\nd\ne\n", 5),
        ("a\nb\nc\n", 4),
        ("", 1),
    ):
        texts.write_text(other)
        result = call("predict", tiny_run.folder, *into, tensorflow=False)
        assert result.status == 2
        assert f"another text at place {place} of {output}. Start ag" in result.stderr
    assert output.read_bytes() == whole and sorted(tmp_path.rglob("*")) == files


def test_bad_lines_left_out(tiny_run, call, parrot, tmp_path, caplog):
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_bytes(b"\xef\xbb\xbfa\n\xff\nb\nc\xe9\nd\ne")
    into = ("--input", texts, "--output", output)
    result = call("predict", tiny_run.folder, *into)
    assert result.status == 2
    assert f"{texts}:2: Expected UTF-8. Received: byte 0xff at" in result.stderr
    assert sorted(os.listdir(tmp_path)) == ["texts.txt"]
    result = call("predict", tiny_run.folder, *into, "--skip-bad-lines")
    assert result.status == 0
    assert answers(output.read_text()) == expected("abde")
    assert f"2 bad lines left out. The first: {texts}:2: Expected UTF" in caplog.text


def test_a_full_disk_keeps_what_is_done(tiny_run, call, parrot, tmp_path, monkeypatch):
    texts, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    texts.write_text("a\nb\nc\nd\n")
    into = ("--input", texts, "--output", output)

    def fsync(number):
        if len(parrot.chunks) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fsync)
        result = call("predict", tiny_run.folder, *into)
    assert result.status == 2 and "No space left on device. Free" in result.stderr
    assert call("predict", tiny_run.folder, *into, "--resume").status == 0
    assert answers(output.read_text()) == expected("abcd")


def killed(folder, texts, output, size):
    """Starts the program and kills it once the part has more than `size` bytes."""
    process = start("predict", folder, "--input", texts, "--output", output)
    part = Path(f"{output}.part")
    while not part.exists() or part.stat().st_size <= size:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    return part


@pytest.mark.large
def test_killed_and_resumed_in_bounded_memory(tiny_run, tmp_path):
    """200,000 texts, with real memory, and a kill in the middle."""
    few, many = 20_000, 200_000
    words = [f"word{i}{c}" for i in range(20) for c in "abc"]
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, n)) for n in random.integers(1, 20, 1000)]
    texts = [f"{texts[i % 1000]} {i}" for i in range(many)]
    (tmp_path / "few.txt").write_text("\n".join(texts[:few]))
    (tmp_path / "many.txt").write_text("\n".join(texts))
    peaks = []
    for name in ("few", "many"):
        output = tmp_path / f"{name}.jsonl"
        process = start(
            "predict",
            tiny_run.folder,
            "--input",
            tmp_path / f"{name}.txt",
            *("--output", output),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        stderr = process.communicate()[1].decode()
        assert status == 0, stderr
        peaks.append(usage.ru_maxrss / 1024)  # MB
    assert peaks[1] < peaks[0] + 60, peaks
    assert re.search(r"\d+ texts, [\d.]+ a second, about .* left", stderr)
    assert stderr.endswith(f"{many} texts answered in {output}\n")
    whole = output.read_bytes()
    assert whole.count(b"\n") == many
    output.unlink()
    part = killed(tiny_run.folder, tmp_path / "many.txt", output, len(whole) // 3)
    assert part.exists() and not output.exists()
    process = start(
        "predict",
        tiny_run.folder,
        "--input",
        tmp_path / "many.txt",
        *("--output", output, "--resume"),
    )
    stderr = process.communicate()[1].decode()
    assert process.returncode == 0, stderr
    assert output.read_bytes() == whole


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
    error = refused(tiny_run.folder, stdin="sea\nsky\n".encode("utf-16-le"))
    assert "standard input: Expected UTF-8. Received: UTF-16 without" in error
    assert "argument:2: Expected UTF-8." in refused(tiny_run.folder, "good", "\udce9")
    for k in (0, -1, 11):
        error = refused(tiny_run.folder, "-k", k)
        assert "-k between 1 and num_predictions of the run, 10. " in error
    assert "with config.yaml in it. Received: none" in refused(tmp_path / "none")
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    (tmp_path / "run/best.keras").unlink()
    assert "best.keras" in refused(tmp_path / "run", "--model", "best")
    into = ("--output", tmp_path / "out.jsonl")
    texts = tmp_path / "texts.gz"
    texts.write_bytes(gzip.compress(b"text")[:-4])
    for arguments, message in (
        (["--input", tmp_path / "none.txt"], "none.txt: Expected a text file. "),
        (["--input", tmp_path], "Is a directory"),
        (["--input", tmp_path, "a text"], "Expected texts or --input. Received: both"),
        (["--resume"], "Expected --output with --resume"),
        ([*into, "--resume"], "Expected --input with --resume"),
        ([*into, "--resume", "--overwrite"], "Expected --resume or --overwrite."),
        (["--output", tmp_path / "o.xz"], "a plain file or .gz to write."),
        (["--output", tmp_path], "Expected a file to write. Received: a folder. Choo"),
        (["--output", tmp_path, "--overwrite"], "Received: a folder. Choose another "),
        (["--output", "."], ".: Expected a file to write. Received: a folder. Choose"),
        (["--output", "/"], "/: Expected a file to write. Received: a folder. Choose"),
        (["--output", texts / "x"], "Expected a place for answers. Received: Not a di"),
    ):
        assert message in refused(tiny_run.folder, *arguments)
    same = ("--input", texts, "--output", texts, "--overwrite")
    assert "Expected an output that is not the input." in refused(
        tiny_run.folder, *same
    )
    assert "texts.gz:1: Expected an intact file." in refused(
        tiny_run.folder, "--input", texts, *into
    )
    assert sorted(os.listdir(tmp_path)) == ["run", "texts.gz"]
