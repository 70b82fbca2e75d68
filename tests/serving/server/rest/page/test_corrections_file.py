"""The file of corrections: whole lines, whatever happens meanwhile."""

import concurrent.futures
import fcntl
import json
import os
import subprocess
import sys

import pytest

from tests.helpers.full_disk import largest_file, small_disk
from tests.helpers.project import PROJECT
from xmc_keras.data.formats.tables.json_rows import JsonRows
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.disk_error import DiskError
from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile

APPEND = """
import sys
from xmc_keras.serving.server.rest.page.corrections_file import CorrectionsFile
file, writer = CorrectionsFile(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.read()
for number in range(40):
    text = f"{writer} {number} é\\n" + "long " * 5000 * (number % 4)
    assert file.append({"text": text, "labels": [writer], "id": f"{writer}-{number}"})
"""


def correction(number=1, **further):
    return {"text": f"Text {number}\nof two lines: é", "labels": ["a b", "é"]} | further


def lines(path):
    content = path.read_bytes()
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.split(b"\n")[:-1]]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "corrections.jsonl"


def test_lines_are_appended_and_read_as_documents(path):
    file = CorrectionsFile(path.parent / "new" / path.name)
    file.check()
    assert not file.path.parent.exists()  # looking writes nothing
    further = {"model": "m", "version": 3, "id": "x", "time": "2026-01-01T00:00:00"}
    assert file.append(correction(1, **further)) and file.append(correction(2))
    file.check()
    assert lines(file.path) == [correction(1, **further), correction(2)]
    found = [(document.text, document.labels) for document in JsonRows(file.path)]
    assert found == [tuple(correction(n).values()) for n in (1, 2)]


def test_processes_append_at_the_same_time(path):
    command = [sys.executable, "-c", APPEND, path]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [
        subprocess.Popen([*command, name], env=environment, **pipes) for name in "abc"
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:  # none has begun before all are there
        writer.stdin.close()
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.stdout.close()
    found = lines(path)
    for name in "abc":  # each writer's in its order, none lost or doubled
        texts = [
            line["text"].split(" é")[0] for line in found if line["labels"] == [name]
        ]
        assert texts == [f"{name} {number}" for number in range(40)]
    assert len(found) == 120


def test_threads_append_at_the_same_time(path):
    file = CorrectionsFile(path)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert all(pool.map(file.append, map(correction, range(60))))
    texts = {line["text"] for line in lines(path)}
    assert texts == {correction(number)["text"] for number in range(60)}


def test_what_was_sent_again_is_kept_once(path):
    file = CorrectionsFile(path)
    assert file.append(correction(1, id="one"))
    assert file.append(correction(2, id="two"))
    assert not CorrectionsFile(path).append(correction(1, id="one"))
    # A text with the words of an id is none.
    assert file.append({"text": '"id": "three"', "labels": ["a"], "id": "four"})
    assert file.append(correction(3, id="three"))
    assert [line["id"] for line in lines(path)] == ["one", "two", "four", "three"]


def test_a_last_line_without_its_end_is_completed(path):
    path.write_bytes(b'{"text": "by hand", "labels": ["a"]}')
    file = CorrectionsFile(path)
    file.check()
    assert path.read_bytes().endswith(b"}")  # looking writes nothing
    file.append(correction())
    assert lines(path) == [{"text": "by hand", "labels": ["a"]}, correction()]


@pytest.mark.parametrize(
    "end",
    ['{"text": "cut of', '{"text": "no labels"}', "[1]", "{}", "null", "[" * 9999],
)
def test_another_last_line_is_refused_and_left(path, end):
    content = f'{json.dumps(correction())}\n{{"text": "b", "labels": []}}\n{end}'
    path.write_text(content)
    for attempt in (CorrectionsFile(path).check, write(path)):
        with pytest.raises(BadInput, match="Complete or delete") as raised:
            attempt()
        assert raised.value.line == 3 and raised.value.path == path
    assert path.read_text() == content


def write(path, **settings):
    return lambda: CorrectionsFile(path, **settings).append(correction())


@pytest.mark.parametrize("content", [b"A text\nof lines\n", b"\x1f\x8b\x08\0\n", b"\n"])
def test_a_file_of_something_else_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(BadInput, match="Expected a last line like"):
        CorrectionsFile(path).check()


def test_places_that_cannot_hold_it(path, tmp_path):
    path.mkdir()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "file").touch()
    for place, received in [
        (path, "a folder"),
        (pipe, "something else"),
        ("/dev/null", "something else"),
        (tmp_path / "c.jsonl.gz", "a compressed one"),
        (tmp_path / "file" / "c.jsonl", "Not a directory"),
        (tmp_path / ("c" * 300), "File name too long"),
        ("/proc/c.jsonl", "No such file|Permission denied"),
    ]:
        with pytest.raises(BadInput, match=f"Received: ({received})"):
            CorrectionsFile(place).check()
    for place in (path, pipe, tmp_path / "file" / "c.jsonl"):
        with pytest.raises(BadInput):
            write(place)()
    assert os.listdir(path) == []


def test_a_full_disk_leaves_whole_lines(tmp_path):
    with small_disk(tmp_path / "disk", 8) as disk:
        file = CorrectionsFile(disk.path / "c.jsonl")
        file.append(correction(1))
        before = file.path.read_bytes()
        with pytest.raises(DiskError, match="Free disk space[.]$"):
            file.append({"text": "long " * 4000, "labels": ["a"]})
        assert file.path.read_bytes() == before
        file.append(correction(2))
        assert lines(file.path) == [correction(1), correction(2)]


def test_a_limit_of_file_sizes_leaves_whole_lines(path):
    file = CorrectionsFile(path)
    file.append(correction(1))
    with largest_file(path.stat().st_size + 10):  # the line is cut after ten bytes
        with pytest.raises(DiskError):
            file.append(correction(2))
    assert lines(path) == [correction(1)]


def test_a_line_that_cannot_be_made_durable_is_taken_back(path, monkeypatch):
    file = CorrectionsFile(path)
    file.append(correction(1))

    def fail(descriptor):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(DiskError, match="Input/output error"):
        file.append(correction(2))
    assert lines(path) == [correction(1)]


def test_a_locked_file_is_waited_for_and_then_reported(path):
    path.touch()
    with open(path) as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BadInput, match="locked for 0.1 seconds"):
            write(path, seconds=0.1)()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            written = pool.submit(write(path))
            with pytest.raises(concurrent.futures.TimeoutError):
                written.result(0.2)
            fcntl.flock(other, fcntl.LOCK_UN)
            assert written.result(20)
    assert lines(path) == [correction()]
