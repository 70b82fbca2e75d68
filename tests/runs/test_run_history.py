import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.read_history import read_history
from xmc_keras.runs.run_history import RunHistory


def test_rows_come_back_as_they_were(tmp_path):
    history = RunHistory(tmp_path / "history.csv")
    assert history.rows() == []
    rows = [
        {"epoch": 0, "loss": 0.1 + 0.2, "val_loss": 1e-9},
        {"epoch": 1, "loss": 1 / 3, "val_loss": float("inf")},
        {"epoch": 2, "loss": 12345678.9, "val_loss": 0.0},
    ]
    for row in rows:
        history.on_epoch_end(row["epoch"], {k: row[k] for k in ("val_loss", "loss")})
    assert history.rows() == rows
    assert history.rows(before=2) == rows[:2] and history.rows(before=0) == []
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,val_loss" and len(lines) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"history.csv", "digests.json"}


def test_an_epoch_trained_again_replaces_the_old_and_later_ones(tmp_path):
    history = RunHistory(tmp_path / "history.csv")
    for epoch, loss in ((0, 3.0), (1, 2.0), (2, 1.0), (1, 1.5)):
        RunHistory(tmp_path / "history.csv").on_epoch_end(epoch, {"loss": loss})
    assert [(row["epoch"], row["loss"]) for row in history.rows()] == [(0, 3), (1, 1.5)]


WHOLE = b"epoch,loss,val_loss\n0,3.5,4.0\n1,2.25,nan\n"


def test_read_history(tmp_path):
    path = tmp_path / "history.csv"
    assert read_history(path, ["loss"]) == []
    path.write_bytes(WHOLE.replace(b"\n", b"\r\n"))
    first, second = read_history(path, ["loss", "val_loss"])
    assert first == {"epoch": 0, "loss": 3.5, "val_loss": 4.0}
    assert list(second) == ["epoch", "loss", "val_loss"]
    assert second["loss"] == 2.25 and second["val_loss"] != second["val_loss"]
    path.write_bytes(b"epoch,loss\n")
    assert read_history(path) == []


@pytest.mark.parametrize(
    ("content", "place", "received"),
    [
        (b"", ":1: ", "no column 'epoch'"),
        (b"\xff\xfe\n0,1\n", ":1: ", "other bytes"),
        (WHOLE + b"2,\xff,1\n", ":4: ", "other bytes"),
        (WHOLE + b"2,1.5\n", ":4: ", "another number of cells than 3"),
        (WHOLE + b"2,1.5,1,1\n", ":4: ", "another number of cells"),
        (WHOLE.replace(b"3.5", b"3,5", 1), ":2: ", "another number of cells"),
        (WHOLE.replace(b"3.5", b"much"), ":2: ", "could not convert string to float"),
        (WHOLE.replace(b"\n1,", b"\n1.5,"), ":3: ", "invalid literal for int()"),
        (WHOLE.replace(b"val_loss", b"val"), ":1: ", "no column 'val_loss'"),
        (WHOLE.replace(b"epoch", b"time"), ":1: ", "no column 'epoch'"),
        (WHOLE + b'2,"1,5', ":4: ", "unexpected end of data"),
    ],
)
def test_damaged_history(tmp_path, content, place, received):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput) as error:
        read_history(path, ["loss", "val_loss"])
    assert str(error.value).startswith(f"{path}{place}Expected ")
    assert received in str(error.value)
    assert str(error.value).endswith(": it holds only the curves of training.")


def test_history_that_is_no_file(tmp_path):
    (tmp_path / "history.csv").mkdir()
    with pytest.raises(BadInput, match="history.csv: .*Received: Is a directory"):
        read_history(tmp_path / "history.csv")


@settings(deadline=None, max_examples=60)
@given(cut=st.integers(0, len(WHOLE)), place=st.integers(0, 99), byte=st.binary())
def test_any_bytes_are_rows_or_an_error(tmp_path_factory, cut, place, byte):
    path = tmp_path_factory.mktemp("damaged") / "history.csv"
    path.write_bytes(WHOLE[:cut][:place] + byte + WHOLE[:cut][place + len(byte) :])
    try:
        rows = read_history(path, ["loss"])
    except BadInput as error:
        assert str(error).startswith(f"{path}:")
    else:
        assert all({"epoch", "loss"} <= set(row) for row in rows)
