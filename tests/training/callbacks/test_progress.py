import sys
import types

import pytest

from tests.helpers.notebook import Notebook
from xmc_keras.progress import in_notebook
from xmc_keras.training.callbacks.progress import Progress


def play(progress, epochs, capsys, monkeypatch, first_epoch=0, first_step=0, seconds=1):
    """Plays the calls of `fit`, steps of some seconds; returns what is printed."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr("time.time", lambda: now[0])
    for epoch in range(first_epoch, epochs):
        progress.on_epoch_begin(epoch)
        start = first_step if epoch == first_epoch else 0
        for batch in range(progress.num_batches - start):
            progress.on_train_batch_begin(batch)
            now[0] += seconds
            progress.on_train_batch_end(batch, {"loss": 12.3456789 / (batch + 1)})
        progress.on_epoch_end(epoch, {"loss": 1.0, "val_loss": 2.0})
    return capsys.readouterr().out


def test_in_a_file_a_few_lines_an_epoch(capsys, monkeypatch):
    shown = play(Progress(1000, 3), 3, capsys, monkeypatch, seconds=0.1)
    lines = shown.splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith("Epoch ")]
    assert [lines[i] for i in begins] == [
        "Epoch 1 of 3",
        "Epoch 2 of 3, about 3 min left",
        "Epoch 3 of 3, about 2 min left",
    ]
    assert lines[1] == "  100/1000, 90 s left: loss 0.1235"
    assert lines[9] == "  900/1000, 10 s left: loss 0.01372"
    assert lines[10] == "  loss 1, val_loss 2"
    assert len(lines) == 3 * 11


@pytest.mark.parametrize("seconds", [7, 25])
def test_in_a_file_a_line_at_least_every_half_minute(seconds, capsys, monkeypatch):
    shown = play(Progress(100, 1), 1, capsys, monkeypatch, seconds=seconds)
    steps = [int(line.split("/")[0]) for line in shown.splitlines()[1:-1]]
    gaps = [(b - a) * seconds for a, b in zip([0, *steps], [*steps, 100])]
    assert max(gaps) <= 30


@pytest.mark.parametrize("num_batches", [1, 3, 11])
def test_in_a_file_short_epochs(num_batches, capsys, monkeypatch):
    lines = play(Progress(num_batches, 1), 1, capsys, monkeypatch).splitlines()
    assert len(lines) == 2 + min(num_batches - 1, 9)


def test_a_continued_epoch_counts_from_where_it_was(capsys, monkeypatch):
    progress = Progress(100, 3, first_step=70)
    arguments = {"first_epoch": 1, "first_step": 70}
    lines = play(progress, 3, capsys, monkeypatch, **arguments).splitlines()
    assert lines[0] == "Epoch 2 of 3"
    assert lines[1].startswith("  71/100, 29 s left: ")
    assert lines[2].startswith("  80/100, 20 s left: ")
    assert lines[5] == "Epoch 3 of 3, about 2 min left"
    assert lines[6].startswith("  10/100, 2 min left: ")


def test_on_a_terminal_a_bar(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    shown = play(Progress(20, 1), 1, capsys, monkeypatch)
    last = shown.split("\r")[-1]
    # The last step is shown whatever came before, with its own loss, on a line.
    assert "20/20" in last and "loss: 0.6173" in last
    assert last.endswith("\n  loss 1, val_loss 2\n")
    assert shown.count("\n") == 3


def test_in_a_notebook_a_line_per_epoch_that_is_replaced(capsys, monkeypatch):
    notebook = Notebook(monkeypatch)
    progress = Progress(100, 3, first_step=70)
    during = []
    on_batch_end = progress.on_train_batch_end

    def look(batch, logs):
        on_batch_end(batch, logs)
        during.append(list(notebook.lines))

    monkeypatch.setattr(progress, "on_train_batch_end", look)
    arguments = {"first_epoch": 1, "first_step": 70}
    shown = play(progress, 3, capsys, monkeypatch, **arguments)
    assert shown == ""
    assert notebook.lines == [
        "Epoch 2 of 3: loss 1, val_loss 2",
        "Epoch 3 of 3: loss 1, val_loss 2",
    ]
    half = "[" + "=" * 24 + " " * 6 + "]"
    assert during[9] == [f"Epoch 2 of 3  {half} 80/100, 20 s left: loss 1.235"]
    full = "[" + "=" * 30 + "]"
    assert during[-1][1] == f"Epoch 3 of 3  {full} 100/100, 0 s left: loss 0.1235"


def test_in_a_notebook_a_line_is_not_replaced_for_each_of_many_steps(
    capsys, monkeypatch
):
    notebook = Notebook(monkeypatch)
    play(Progress(1000, 1), 1, capsys, monkeypatch, seconds=0.01)
    assert 30 <= notebook.writes <= 60  # in 10 s


@pytest.mark.parametrize("shell", ["none", "terminal", "half imported"])
def test_python_and_ipython_in_a_terminal_are_no_notebook(shell, monkeypatch):
    ipython = types.ModuleType("IPython")
    if shell == "none":
        monkeypatch.delitem(sys.modules, "IPython", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "IPython", ipython)
    if shell == "terminal":
        ipython.get_ipython = types.SimpleNamespace
    assert not in_notebook()
