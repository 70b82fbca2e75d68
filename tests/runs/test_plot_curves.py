import importlib
import types

import matplotlib
import pytest
from matplotlib.figure import Figure

from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs import plot_curves as module
from xmc_keras.runs.plot_curves import plot_curves
from xmc_keras.runs.run_history import RunHistory


def test_a_picture_of_the_history(tmp_path, monkeypatch):
    run = types.SimpleNamespace(path=tmp_path, history_path=tmp_path / "history.csv")
    history, drawn = RunHistory(run.history_path), []
    for epoch in range(3):
        precision = {f"val_precision_at_{k}": 0.1 * epoch / k for k in (1, 3, 5)}
        history.on_epoch_end(epoch, {"loss": 3 - epoch, "val_loss": 4.0, **precision})
    save = Figure.savefig

    def savefig(figure, *arguments, **options):
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", savefig)
    plot_curves(run)
    (figure,) = drawn
    left, right = figure.axes
    lines = {line.get_label(): line for axes in (left, right) for line in axes.lines}
    assert list(lines) == ["training", "validation", "P@1", "P@3", "P@5"]
    assert lines["training"].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]]
    assert lines["P@1"].get_xydata().round(6).tolist() == [[1, 0], [2, 10], [3, 20]]
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    names = {"history.csv", "curves.png", "digests.json"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_the_backend_stays_as_the_user_chose(monkeypatch):
    # A notebook's figures would not be shown.
    monkeypatch.setitem(matplotlib.rcParams, "backend", "svg")
    importlib.reload(module)
    assert matplotlib.get_backend() == "svg"


def test_a_damaged_history(tmp_path):
    run = types.SimpleNamespace(path=tmp_path, history_path=tmp_path / "history.csv")
    run.history_path.write_text("epoch,loss,val_loss\n0,1,2\n")
    with pytest.raises(BadInput, match="history.csv:1: .*no column 'val_precision_at"):
        plot_curves(run)
    assert {path.name for path in tmp_path.iterdir()} == {"history.csv"}
