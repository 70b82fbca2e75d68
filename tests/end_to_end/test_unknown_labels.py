"""A test part with labels that training never saw: the same for all commands."""

import logging
import shutil

import pytest


@pytest.fixture
def data(tmp_path, tiny_data):
    """The tiny data, where one test document in three has a label of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    for path in tiny_data.glob("*.txt"):
        (folder / path.name).write_text(path.read_text())
    path = folder / "test_labels.txt"
    lines = path.read_text().splitlines()
    lines[::3] = [f"{line} new{i % 4}" for i, line in enumerate(lines[::3])]
    path.write_text("\n".join(lines) + "\n")
    return folder


def said(data):
    """The line about the unknown labels of the test part, counted by hand."""
    lines = (data / "test_labels.txt").read_text().splitlines()
    names = [name for line in lines for name in line.split()]
    new = [name for name in names if name.startswith("new")]
    counts = f"{len(new)} of {len(names)} label occurrences ({len(set(new))} labels)"
    return f"{counts} in {data / 'test_labels.txt'} are not in the training data; "


@pytest.fixture
def commands(data, tiny_config, tiny_run, tmp_path):
    """Arguments of all commands that read a test part, by their names."""
    run, settings = tiny_run.folder, ("--set", f"data={data}")
    return {
        "plan": (tiny_config, *settings),
        "evaluate": (run, "--data", data),
        "ensemble": (run, shutil.copytree(run, tmp_path / "other"), "--data", data),
        "report": (run, "--data", data, "--output", tmp_path / "report.html"),
        "fit": (tiny_config, *settings, "--run", tmp_path / "new", "--set", "epochs=2"),
    }


@pytest.mark.large
def test_every_command_takes_labels_that_training_never_saw(
    call, data, commands, caplog
):
    for command, arguments in commands.items():
        caplog.clear()
        caplog.set_level(logging.INFO)
        result = call(command, *arguments)
        assert result.status == 0, result.stderr
        assert caplog.text.count(said(data)) == 1, command


def test_no_command_takes_labels_of_other_data_or_bad_lines(call, data, commands):
    path = data / "test_labels.txt"
    good = path.read_text()
    number = len(good.splitlines())
    for lines, expected in (
        ("elsewhere\n" * number, f"{path}:1: Expected labels of the training part"),
        (f"\n{good.partition(chr(10))[2]}", f"{path}:1: "),
    ):
        path.write_text(lines)
        for command, arguments in commands.items():
            result = call(command, *arguments, tensorflow=False)
            assert (result.status, result.stdout) == (2, ""), command
            assert result.stderr.startswith(f"error: {expected}"), result.stderr
    # The bad line alone is what --skip-bad-lines is for.
    for command in ("plan", "evaluate"):
        result = call(command, *commands[command], "--skip-bad-lines")
        assert result.status == 0, result.stderr
