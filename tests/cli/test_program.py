import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.project import PROJECT
from xmc_keras.cli.program import COMMANDS, WORDS, main, set_home
from xmc_keras.files.bad_input import BadInput

CODE = """
import sys
from xmc_keras.cli import program
from xmc_keras.files.bad_input import BadInput

def main():
{body}

program.run(main)
"""


def run(body, **kwargs):
    code = CODE.format(body=f"    {body}")
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, **kwargs)


@pytest.mark.parametrize(
    "body, status, stderr",
    [
        ("pass", 0, b""),
        ('raise BadInput("Expected a label.", "f.txt", 3)', 2, b"error: f.txt:3: "),
        ("raise KeyboardInterrupt", 130, b"interrupted\n"),
        ("sys.exit(7)", 7, b""),
    ],
)
def test_status(body, status, stderr):
    ended = run(body)
    assert (ended.returncode, ended.stdout) == (status, b"")
    assert ended.stderr.startswith(stderr) and ended.stderr.count(b"\n") <= 1


def test_reader_that_has_gone():
    ended = run("raise BrokenPipeError")
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_output_is_utf_8_whatever_the_terminal():
    ended = run('print("ü😀")', env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert ended.stdout.decode("utf-8") == "ü😀\n"


def test_other_errors_are_not_hidden():
    ended = run('raise RuntimeError("a bug")')
    assert ended.returncode == 1 and b"RuntimeError: a bug" in ended.stderr


def test_help_and_version(capsys):
    for arguments in ([], ["--help"], ["-h"]):
        main(arguments)
        text = capsys.readouterr().out
        assert all(f"\n  {name} " in text for name in COMMANDS)
    main(["--version"])
    assert re.fullmatch(r"xmc-keras \d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    "command, hint", [("fitt", "Did you mean fit?"), ("zzz", "See xmc --help.")]
)
def test_a_command_that_is_none(command, hint, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: Expected one of the commands download, prepare, ")
    assert error.endswith(f"Received: {command}. {hint}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: xmc {command} ")


def remedies():
    """Constant texts of all remedies in the library, with their places."""
    for path in sorted((PROJECT / "xmc_keras").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            found = []
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found = [k.value for k in node.keywords if k.arg == "remedy"]
                found += node.args[3:4] * (name == "BadInput")
            elif isinstance(node, ast.Assign):
                names = [getattr(target, "id", "").lower() for target in node.targets]
                found = [node.value] * ("remedy" in names)
            for value in found:
                texts = [
                    part.value
                    for part in ast.walk(value)
                    if isinstance(part, ast.Constant) and isinstance(part.value, str)
                ]
                if text := "".join(texts):
                    yield f"{path.relative_to(PROJECT)}:{node.lineno}", text


def test_remedies_are_worded_for_the_command_line():
    found = list(remedies())
    assert len(found) > 40
    for place, text in found:
        if "``" in text:  # the argument is a variable
            continue
        worded = BadInput("", remedy=text).word(WORDS)
        assert "`" not in worded, f"{place}: {worded}"


def test_a_home_where_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "kept")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr("os.path.expanduser", lambda path: "/home/somebody")
        set_home()
        assert os.environ["HOME"] == "kept"
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    for _ in range(2):
        set_home()
        home = os.environ["HOME"]
        assert home == f"{tmp_path}/xmc-keras-{os.getuid()}"
        assert os.stat(home).st_mode & 0o777 == 0o700
    monkeypatch.setattr("os.getuid", lambda: 54321)
    (tmp_path / "xmc-keras-54321").mkdir()  # of somebody else
    set_home()
    assert Path(os.environ["HOME"]).parent == tmp_path
    assert os.environ["HOME"] != f"{tmp_path}/xmc-keras-54321"


def test_the_words_are_options_and_commands(capsys):
    usage = ""
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            main([command, "--help"])
        usage += capsys.readouterr().out
    for text in WORDS.values():
        for option in re.findall(r"--[\w-]+", text):
            assert f"{option} " in usage or f"{option}\n" in usage, option
        for command in re.findall(r"xmc (\w+)", text):
            assert command in COMMANDS
