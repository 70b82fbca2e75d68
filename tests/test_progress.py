import io
import logging

import pytest

from xmc_keras import progress
from xmc_keras.progress import Pace, format_seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_bar_on_a_terminal(clock):
    terminal = Terminal()
    shown = progress.Bar(lambda: 0.5, stream=terminal)
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
    shown.end()
    assert terminal.getvalue().endswith("\n")
    assert shown.done == 3000


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
