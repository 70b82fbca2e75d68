import io
import logging
import re
import subprocess
import sys
import threading
import time

import pytest

from tests.helpers.notebook import Notebook
from tests.helpers.project import PROJECT
from xmc_keras import progress
from xmc_keras.progress import Heartbeat, Pace, format_seconds, phase


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_bar_on_a_terminal(clock):
    terminal, shares = Terminal(), [0.5]
    shown = progress.Bar(lambda: shares[0], stream=terminal)
    shown.skip(1000)
    shown.advance(10)
    assert terminal.getvalue() == ""  # too soon
    clock[0] += 2
    shown.advance(1990)
    # 2,000 in 2 s; as much as the 3,000 that are half of it is left.
    half = "=" * 15 + " " * 15
    assert terminal.getvalue() == (
        f"\r[{half}]  50%  3,000 documents, 1,000 a second, 3 s left   "
    )
    shares[0] = 1.0
    shown.advance(3000)  # too soon again: the end draws it
    shown.end()
    assert terminal.getvalue().endswith(
        f"\r[{'=' * 30}] 100%  6,000 documents, 2,500 a second, 0 s left   \n"
    )
    assert shown.done == 6000


def test_bar_in_a_notebook_replaces_its_line(clock, monkeypatch, caplog, capsys):
    caplog.set_level(logging.INFO)
    notebook = Notebook(monkeypatch)
    shown = progress.Bar(lambda: 0.5)
    shown.advance(10)
    assert notebook.lines == []  # too soon
    clock[0] += 2
    shown.advance(1990)
    half = "=" * 15 + " " * 15
    assert notebook.lines == [
        f"[{half}]  50%  2,000 documents, 1,000 a second, 2 s left"
    ]
    clock[0] += 0.1
    shown.advance(2000)
    clock[0] += 1.9
    shown.end()
    assert notebook.lines == [
        f"[{half}]  50%  4,000 documents, 1,000 a second, 4 s left"
    ]
    assert caplog.messages == [] and capsys.readouterr() == ("", "")


def test_bar_logs_elsewhere(clock, caplog):
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    shown = progress.Bar(lambda: 0.25, "bytes", stream)
    shown.advance(10)
    clock[0] += progress.LOG_SECONDS
    shown.advance(90)
    shown.end()
    assert stream.getvalue() == ""
    assert caplog.messages == ["100 bytes, 10.0 a second, about 30 s left"]


def test_pace_is_rate_and_time_left(clock, caplog):
    caplog.set_level(logging.INFO)
    shares = iter([0.25, 0.5])
    pace = Pace(lambda: next(shares))
    pace.advance(10)  # too soon to log
    for _ in range(2):
        clock[0] += progress.LOG_SECONDS
        pace.advance(90)
    assert [record.message for record in caplog.records] == [
        "100 texts, 10.0 a second, about 30 s left",
        "190 texts, 9.5 a second, about 20 s left",
    ]


def test_pace_leaves_out_what_an_earlier_start_did(clock, caplog):
    caplog.set_level(logging.INFO)
    pace = Pace(lambda: 0.5)
    clock[0] += 1000
    pace.skip(1000)
    clock[0] += 20
    pace.advance(200)
    assert caplog.messages == ["1200 texts, 10.0 a second, about 2 min left"]


def test_pace_of_standard_input_has_no_time_left(clock, caplog):
    caplog.set_level(logging.INFO)
    pace = Pace()
    clock[0] += 20
    pace.advance(50)
    assert caplog.messages == ["50 texts, 2.5 a second"]
    assert pace.done == 50


def test_format_seconds():
    assert [format_seconds(seconds) for seconds in (0.4, 42, 600, 5399, 7300)] == [
        "0 s",
        "42 s",
        "10 min",
        "1 h 30 min",
        "2 h 2 min",
    ]


def test_a_silent_phase_gives_signs_of_life(caplog):
    caplog.set_level(logging.INFO)
    with phase("the whole"), Heartbeat(0.05):
        with phase("a part"):
            time.sleep(0.12)
        with pytest.raises(ValueError), phase("bad"), phase("worse"):
            raise ValueError
        assert Heartbeat.phases[-1][0] == "the whole"
        time.sleep(0.12)
    assert caplog.messages[0] == "a part: 0 s so far"
    assert caplog.messages[-1] == "the whole: 0 s so far"
    assert Heartbeat.phases == [] and Heartbeat.running is None


def test_no_sign_of_life_where_there_are_lines_or_no_phase(caplog):
    caplog.set_level(logging.INFO)
    with Heartbeat(0.3):
        time.sleep(0.4)
        with phase("busy"):
            for _ in range(8):
                logging.getLogger("any").info("a line")
                time.sleep(0.05)
    assert set(caplog.messages) == {"a line"}


def test_the_thread_ends_with_the_block_and_there_is_one():
    threads = threading.active_count()
    with Heartbeat(60), Heartbeat(0.01):
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
    assert not any(isinstance(h, Heartbeat) for h in logging.getLogger().handlers)


# A second stands for half a minute. Label features are computed in Python, clusters in
# NumPy, and TensorFlow compiles and trains.
SCALED = """
import sys
from xmc_keras import progress
progress.QUIET_SECONDS = 0.6
import xmc_keras.training.callbacks.progress as callback
callback.QUIET_SECONDS = 0.6
from xmc_keras.cli.program import main
main(sys.argv[1:])
"""


@pytest.mark.large
def test_a_program_whose_output_is_a_file_is_never_silent(tmp_path, tiny_config):
    path = tmp_path / "log"
    command = [sys.executable, "-c", SCALED, "fit", str(tiny_config)]
    command += ["--run", str(tmp_path / "run"), "--set", "epochs=2"]
    with open(path, "wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)
        gaps, size, last = [], 0, None
        while process.poll() is None:
            now = time.monotonic()
            if path.stat().st_size != size:
                if last is not None:
                    gaps.append(now - last)
                size, last = path.stat().st_size, now
            time.sleep(0.01)
    assert process.returncode == 0, path.read_text()
    assert re.search(
        r"(Training|Building the model|.*xmc fit): \d+ s so far", path.read_text()
    )
    # Imports hold Python's lock for up to a second.
    assert sorted(gaps)[-2] < 2 and max(gaps) < 4
