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
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def test_an_epoch_trained_again_takes_the_place_of_the_old_and_later_ones(tmp_path):
    history = RunHistory(tmp_path / "history.csv")
    for epoch, loss in ((0, 3.0), (1, 2.0), (2, 1.0), (1, 1.5)):
        RunHistory(tmp_path / "history.csv").on_epoch_end(epoch, {"loss": loss})
    assert [(row["epoch"], row["loss"]) for row in history.rows()] == [(0, 3), (1, 1.5)]
