import subprocess
import sys

import pytest

CODE = """
import sys
from xmc_keras.cli import program
from xmc_keras.bad_input import BadInput

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
