"""The wheel, installed in another environment, does everything without the clone."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request

import pytest

from tests.helpers.project import PROJECT
from xmc_keras.cli.program import COMMANDS

SOURCES = ("xmc_keras", "configs", "setup.py", "pyproject.toml", "README.md", "LICENSE")
RECIPE = """
system: lightdxml
encoder: words
validation_documents: 30
embedding_dim: 16
epochs: 4
refresh: 2
batch_size: 16
learning_rate: 0.03
proxy_dim: 24
proxy_epochs: 2
num_neighbors: 12
num_predictions: 10
"""


@pytest.fixture(scope="module")
def xmc(tmp_path_factory):
    """Path of the command in a new environment; the packages are those of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        path = PROJECT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", folder, source]
    subprocess.run([*pip, *build], check=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True
    )
    paths = {"base": str(folder / "venv"), "platbase": str(folder / "venv")}
    site = sysconfig.get_path("purelib", "venv", paths)
    # Adds the packages, but not what their own .pth files add: the clone.
    with open(os.path.join(site, "packages.pth"), "w") as file:
        file.write(sysconfig.get_path("purelib") + "\n")
    python = folder / "venv/bin/python"
    install = ["--python", python, "install", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, *install, wheel], check=True)
    return folder / "venv/bin/xmc"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture(scope="module")
def start(xmc, elsewhere):
    """Starts the command in another folder, without help from the clone."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if k not in hidden}

    def start(*arguments, **kwargs):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
        return subprocess.Popen(
            [xmc, *map(str, arguments)],
            cwd=elsewhere,
            env=environment,
            text=True,
            **pipes,
        )

    return start


@pytest.fixture(scope="module")
def run(start):
    def run(*arguments):
        process = start(*arguments)
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr
        return stdout

    return run


def test_help_is_quick_and_lists_the_commands(run):
    begun = time.monotonic()
    text = run("--help")
    # Half a second on a quiet machine; the tests share theirs.
    assert time.monotonic() - begun < 2
    for command in COMMANDS:
        assert f"\n  {command} " in text


def test_the_package_is_that_of_the_wheel(xmc, elsewhere):
    code = "import xmc_keras; print(xmc_keras.__file__)"
    command = [xmc.with_name("python"), "-c", code]
    environment = {"PATH": os.environ["PATH"]}
    found = subprocess.run(
        command, cwd=elsewhere, env=environment, capture_output=True, text=True
    )
    assert str(xmc.parents[1]) in found.stdout, found.stderr


def test_recipes_by_name(run):
    """Shipped as package data; this one needs no data to be planned."""
    report = json.loads(
        run(
            *("plan", "lightdxml_eurlex4k", "--labels", 3956, "--documents", 15449),
            *("--features", 5000, "--json"),
        )
    )
    assert report["labels"] == 3956 and report["steps"] == 26 * 57


@pytest.mark.large
def test_from_training_to_a_served_answer(run, start, tiny_data, elsewhere):
    (elsewhere / "words.yaml").write_text(RECIPE)
    table = run("fit", "words.yaml", "--data", tiny_data)
    assert "LightDXML" in table and "nearest label by TF-IDF" in table
    metrics = json.loads(run("evaluate", "runs/words", "--json"))
    assert metrics["P@1"] > 60 and metrics["documents"] == 60
    text = (tiny_data / "test_texts.txt").read_text().splitlines()[0]
    predicted = json.loads(run("predict", "runs/words", text))
    run("export", "runs/words", "exports/words")
    assert (elsewhere / "exports/words/1/saved_model.pb").is_file()
    log = elsewhere / "serve.log"
    with open(log, "w") as stderr:
        server = start(
            *("serve", "exports/words", "--rest-port", 0, "--no-grpc"), stderr=stderr
        )
    try:
        deadline = time.monotonic() + 100
        while "Page for people: " not in log.read_text():
            assert server.poll() is None and time.monotonic() < deadline, (
                log.read_text()
            )
            time.sleep(0.1)
        url = log.read_text().split("Page for people: ")[1].split("/\n")[0]
        asked = json.loads(run("ask", text, "--url", url, "--json"))
        for file in ("", "page/page.js", "page/page.css"):
            with urllib.request.urlopen(f"{url}/{file}") as response:
                assert response.status == 200 and response.read()
    finally:
        server.terminate()
        server.communicate()
    assert asked["text"] == text
    assert asked["labels"] == predicted["labels"]
    assert asked["scores"] == pytest.approx(predicted["scores"], abs=1e-5)


def test_an_error_in_the_words_of_the_command_line(start, elsewhere):
    process = start("evaluate", "no/run")
    _, stderr = process.communicate()
    assert process.returncode == 2
    assert stderr == (
        "error: no/run: Expected a run folder, with config.yaml in it. Received: none. "
        "Train one with xmc fit.\n"
    )
