"""Locks, against other real processes."""

import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time

import pytest

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.project import PROJECT
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.path_lock import PathLock


def lock(path):
    return PathLock(path, "for a run", "run")


def assert_busy(path):
    with pytest.raises(BadInput, match="no other program") as error, lock(path):
        pass
    return str(error.value)


def assert_free(path):
    """Takes it, and checks from outside that it is held indeed."""
    code = (
        "import sys; from xmc_keras.files.path_lock import PathLock\n"
        "PathLock(sys.argv[1], 'for a run', 'run').acquire()"
    )
    with lock(path) as taken:
        assert taken.held
        command = [sys.executable, "-c", code, os.path.realpath(path)]
        run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert run.returncode == 1 and "BadInput" in run.stderr


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/", "A folder without a name of its own"),
        (".", "A folder without a name of its own"),
        ("missing/../x", "No such file or directory"),
        ("loop/..", "A folder without a name of its own"),
        ("loop/../x", "Too many levels of symbolic links"),
    ],
)
def test_places_that_nothing_can_be_written_to(tmp_path, monkeypatch, path, reason):
    monkeypatch.chdir(tmp_path)
    os.symlink("loop", "loop")
    expected = re.escape(f"{path}: Expected a place for a run. Received: {reason}.")
    with pytest.raises(BadInput, match=expected), lock(path):
        pass
    assert os.listdir() == ["loop"]


def test_the_second_learns_who_holds_it(tmp_path):
    run = tmp_path / "runs" / "x"
    with another_process_writes(run) as process:
        text = assert_busy(run)
        for word in (
            f"{run}: ",
            f"process {process.pid} on {socket.gethostname()} (since 20",
            f"-c {run}",  # its command
            "Let that program end, or stop it, or choose another `run`.",
        ):
            assert word in text
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait() == 0
    assert list(tmp_path.iterdir()) == []  # neither the lock nor the folder for it
    assert_free(run)


def test_a_killed_holder_keeps_nobody_out(tmp_path):
    with another_process_writes(tmp_path / "x") as process:
        process.kill()
        process.wait()
        assert (tmp_path / ".x.lock").exists()
        assert_free(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


FORKS = """
import os, subprocess, sys, time
from xmc_keras.files.path_lock import PathLock
with PathLock(sys.argv[1], "for a run", "run"):
    children = [subprocess.Popen(["sleep", "60"], close_fds=False).pid]
    child = os.fork()
    if not child:
        sys.stdout.close()
        time.sleep(60)
    print("holds", flush=True)
    print(child, *children, flush=True)
    sys.stdin.readline()
"""


def test_children_of_a_killed_holder_keep_nobody_out(tmp_path):
    with another_process_writes(tmp_path / "x", FORKS) as process:
        children = [int(word) for word in process.stdout.readline().split()]
        try:
            assert len(children) == 2
            assert_busy(tmp_path / "x")
            process.kill()
            process.wait()
            for child in children:
                os.kill(child, 0)  # it lives on
            # A child that was forked just now may not have closed the file yet.
            taken, tries = lock(tmp_path / "x"), 100
            while not taken.try_acquire() and tries:
                tries -= 1
                time.sleep(0.05)
            taken.release()
            assert_free(tmp_path / "x")
        finally:
            for child in children:
                os.kill(child, 9)


def test_a_forked_child_neither_holds_nor_frees_it(tmp_path):
    with lock(tmp_path / "x"):
        code = (
            "import os, sys; from xmc_keras.files.path_lock import PathLock\n"
            "with PathLock(sys.argv[1], 'for a run', 'run'):\n"
            "    child = os.fork()\n"
            "    if not child:\n"
            "        sys.exit(3)\n"
            "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3\n"
            "    assert os.path.exists(os.path.dirname(sys.argv[1]) + '/.y.lock')\n"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "y")]
        subprocess.run(command, cwd=PROJECT, check=True)
    assert list(tmp_path.iterdir()) == []


def test_all_names_of_a_folder_have_one_lock(tmp_path, monkeypatch):
    (tmp_path / "disk" / "x").mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to("../disk/x")
    (tmp_path / "other").symlink_to("disk")
    monkeypatch.chdir(tmp_path / "runs")
    with another_process_writes(tmp_path / "disk" / "x"):
        for name in (
            "link",
            "./link/",
            "../other/x",
            f"{tmp_path}/disk/../disk/x/",
            "../disk/x/.",
        ):
            assert_busy(name)
        monkeypatch.chdir("link")
        assert_free("../y")
        assert_free("x")


def test_it_stays_when_the_folder_is_replaced(tmp_path):
    run = tmp_path / "x"
    run.mkdir()
    with another_process_writes(run):
        run.rename(tmp_path / "x.old")
        (tmp_path / "new").mkdir()
        (tmp_path / "new").rename(run)
        assert_busy(run)


def test_within_a_process(tmp_path):
    first = lock(tmp_path / "x")
    with first, first:
        assert f"process {os.getpid()} " in assert_busy(tmp_path / "x")
        found = []

        def enter():
            try:
                with first:
                    found.append("entered")
            except BadInput:
                found.append(f"refused, held: {first.held}")

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        assert found == ["refused, held: False"] and first.held
        first.acquire()
        first.release()
        assert_busy(tmp_path / "x")
    assert not first.held
    first.release()  # nothing
    assert_free(tmp_path / "x")


def test_an_error_frees_it(tmp_path):
    with pytest.raises(KeyboardInterrupt), lock(tmp_path / "a" / "b"):
        (tmp_path / "a" / "kept").touch()
        raise KeyboardInterrupt
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "kept"]


def test_what_is_left_in_a_lock_file_does_not_matter(tmp_path):
    # The id of a process that lives, and no sense at all.
    holder = {"host": socket.gethostname(), "process": 1, "since": "", "command": ""}
    for content in (json.dumps(holder), "", "\0\0[", "[1]"):
        (tmp_path / ".x.lock").write_text(content)
        assert_free(tmp_path / "x")
    file = os.open(tmp_path / ".x.lock", os.O_CREAT | os.O_RDWR)
    os.write(file, b"[1]")
    fcntl.flock(file, fcntl.LOCK_EX)
    assert "one that another program is writing" in assert_busy(tmp_path / "x")
    os.close(file)
    (tmp_path / ".x.lock").unlink()
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".x.lock").symlink_to("precious")
    with (
        pytest.raises(BadInput, match="Expected a place for a run"),
        lock(tmp_path / "x"),
    ):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_file_system_without_locks(tmp_path, monkeypatch, caplog):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with lock(tmp_path / "x") as taken:
        assert taken.held
    assert "has no locks (No locks available): start no other program" in caplog.text
    assert list(tmp_path.iterdir()) == []


COUNTS = """
import pathlib, sys, time
from xmc_keras.files.bad_input import BadInput
from xmc_keras.files.path_lock import PathLock
folder, times = pathlib.Path(sys.argv[1]), int(sys.argv[2])
while times:
    try:
        with PathLock(folder / "deep" / "x", "for a run", "run"):
            count = int((folder / "count").read_text())
            time.sleep(0.0005)
            (folder / "count").write_text(str(count + 1))
            times -= 1
    except BadInput as error:
        assert "no other program" in str(error), error
"""


def test_many_at_once_exclude_each_other(tmp_path):
    """Also while the file and the folder of the lock come and go."""
    (tmp_path / "count").write_text("0")
    command = [sys.executable, "-c", COUNTS, str(tmp_path), "100"]
    processes = [subprocess.Popen(command, cwd=PROJECT) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert (tmp_path / "count").read_text() == "400"
    assert {path.name for path in tmp_path.rglob("*")} <= {"count", "deep"}


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "x", tmp_path / ("n" * 300)):
        with pytest.raises(BadInput, match="Expected a place for a run.*`run`"):
            lock(path).acquire()
