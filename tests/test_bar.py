import io
import logging

import pytest

from xmc_keras import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_bar_on_a_terminal(clock):
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


def test_a_log_elsewhere(clock, caplog):
    caplog.set_level(logging.INFO)
    stream = io.StringIO()
    shown = progress.Bar(lambda: 0.25, "bytes", stream)
    shown.advance(10)
    clock[0] += progress.LOG_SECONDS
    shown.advance(90)
    shown.end()
    assert stream.getvalue() == ""
    assert caplog.messages == ["100 bytes, 10.0 a second, about 30 s left"]
