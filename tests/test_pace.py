import logging

import pytest

from xmc_keras import progress
from xmc_keras.progress import Pace


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_rate_and_time_left(clock, caplog):
    caplog.set_level(logging.INFO)
    shares = iter([0.25, 0.5])
    told = Pace(lambda: next(shares))
    told.advance(10)  # at once: nothing is told
    for _ in range(2):
        clock[0] += progress.LOG_SECONDS
        told.advance(90)
    assert [record.message for record in caplog.records] == [
        "100 texts, 10.0 a second, about 30 s left",
        "190 texts, 9.5 a second, about 20 s left",
    ]


def test_what_an_earlier_start_did_does_not_count_as_speed(clock, caplog):
    caplog.set_level(logging.INFO)
    told = Pace(lambda: 0.5)
    clock[0] += 1000
    told.skip(1000)
    clock[0] += 20
    told.advance(200)
    assert caplog.messages == ["1200 texts, 10.0 a second, about 2 min left"]


def test_nobody_knows_what_is_left_of_standard_input(clock, caplog):
    caplog.set_level(logging.INFO)
    told = Pace()
    clock[0] += 20
    told.advance(50)
    assert caplog.messages == ["50 texts, 2.5 a second"]
    assert told.done == 50
