"""The way from data to an export, in surroundings that are not as at a developer's.

Each ends with the metrics of an undisturbed run, and writes only where it should.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.helpers.fit_runs import METRICS, metrics
from tests.helpers.project import PROJECT

pytestmark = pytest.mark.large

NOBODY = 54321  # not root, and without an entry in /etc/passwd


class Person:
    """Runs commands in a folder of its own, as some user, in some environment."""

    def __init__(self, folder, user=None, **environment):
        self.folder, self.user = folder, user
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("XDG", "LC"))}
        self.environment = {**kept, "PYTHONPATH": str(PROJECT), **environment}
        self.environment = {k: v for k, v in self.environment.items() if v is not None}

    def run(self, *arguments, cwd=None):
        """Output of a command, which must succeed without complaints."""
        command = [sys.executable, "-m", "xmc_keras.cli.program", *map(str, arguments)]
        if self.user is not None:
            # It may read everything, because Python may be in a folder of root, but
            # write only where the permissions let it.
            words = f"setpriv --reuid {self.user} --regid {self.user} --clear-groups"
            for caps in ("inh", "ambient"):
                words += f" --{caps}-caps=-all,+dac_read_search"
            command = [*words.split(), *command]
        process = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
        )
        stderr = process.stderr.decode()
        assert process.returncode == 0, stderr
        for word in ("Traceback", "Warning", "denied"):
            assert word not in stderr
        return process.stdout.decode()


@pytest.fixture
def place():
    """A folder that every user may read; that of pytest is for its owner alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def contents(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def go_all_the_way(person, config, run, data, undisturbed):
    """Trains, evaluates, predicts, reports and exports."""
    before = contents(data)
    person.run("fit", config, "--run", run)
    ours, theirs = metrics(person.folder / run), metrics(undisturbed)
    for key in METRICS:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)
    # From another folder, where nothing can be found or written by its relative path.
    found = person.run("evaluate", person.folder / run, "--json", cwd="/")
    for key in METRICS:
        assert json.loads(found)[key] == pytest.approx(theirs[key], abs=1e-4)
    texts, output = person.folder / "texts.txt", person.folder / "new/found.jsonl"
    texts.write_text("word3a word3b\nw\u00f6rd\n")
    os.chmod(texts, 0o644)
    person.run("predict", run, "--input", texts, "--output", output)
    answers = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    assert [answer["text"] for answer in answers] == ["word3a word3b", "w\u00f6rd"]
    assert answers[0]["labels"][0] == "label03"
    person.run("report", run)
    person.run("export", run, "exports/m")
    assert (person.folder / "exports/m/1/saved_model.pb").exists()
    names = {"texts.txt", "new", "report.html", "report_pictures", "exports"}
    names |= {Path(run).parts[0], config, data.name}
    assert {path.name for path in person.folder.iterdir()} <= names
    assert contents(data) == before
    return ours


def write_config(folder, tiny_config, name, data):
    lines = tiny_config.read_text().splitlines()
    lines = [li for li in lines if not li.startswith("data:")]
    (folder / name).write_text("\n".join([f"data: {json.dumps(data)}", *lines]))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv is missing")
def test_another_user_with_data_to_read_only_and_no_home(
    tiny_run, tiny_config, tiny_data, tiny_encoder, place
):
    person = Person(place / "own", NOBODY, HOME=None, TMPDIR=None)
    person.folder.mkdir()
    for source, name in ((tiny_data, "data"), (tiny_encoder, "encoder")):
        shutil.copytree(source, place / name)
    text = tiny_config.read_text().replace(str(tiny_encoder), str(place / "encoder"))
    (place / "tiny.yaml").write_text(text)
    write_config(person.folder, place / "tiny.yaml", "c.yaml", "../data")
    os.chown(person.folder, NOBODY, NOBODY)
    for path in [*place.rglob("*"), place / "data"]:
        if path != person.folder:
            os.chmod(path, 0o555 if path.is_dir() else 0o444)
    go_all_the_way(person, "c.yaml", "runs/x", place / "data", tiny_run.folder)
    owners = {path.stat().st_uid for path in (person.folder / "runs").rglob("*")}
    assert owners == {NOBODY}


def test_names_with_spaces_and_of_other_scripts(
    tiny_run, tiny_config, tiny_data, place
):
    folder = place / "Mein Büro #1 (naïve) 日本語 'q' %20"
    folder.mkdir()
    shutil.copytree(tiny_data, folder / "donn\u00e9es 1")
    write_config(folder, tiny_config, "r\u00e9glage 1.yaml", "donn\u00e9es 1")
    # In the C locale, with a home that cannot be written.
    person = Person(folder, LC_ALL="C", HOME="/proc")
    go_all_the_way(
        person,
        "r\u00e9glage 1.yaml",
        "L\u00e4ufe \u0431/\u044d\u0442\u043e 1",
        folder / "donn\u00e9es 1",
        tiny_run.folder,
    )


CLOCK = """
# Loaded by Python before everything else: a clock that is set back and forth.
import itertools, time
real, jumps = time.time, itertools.cycle([0.0, 7200.0, -86400.0, 3.15e7, -3600.0])
time.time = lambda: real() + next(jumps)
time.time_ns = lambda: int(time.time() * 1e9)
"""


def test_a_clock_that_jumps(tiny_run, tiny_config, tiny_data, place):
    (place / "clock").mkdir()
    (place / "clock/sitecustomize.py").write_text(CLOCK)
    folder = place / "own"
    folder.mkdir()
    shutil.copytree(tiny_data, folder / "data")
    write_config(folder, tiny_config, "c.yaml", "data")
    path = f"{place / 'clock'}{os.pathsep}{PROJECT}"
    person = Person(folder, PYTHONPATH=path, HOME=str(place / "none"))
    begun = time.monotonic()
    ours = go_all_the_way(person, "c.yaml", "runs/x", folder / "data", tiny_run.folder)
    seconds = time.monotonic() - begun
    assert 0 < ours["train_seconds"] < ours["seconds"] < seconds
    assert 0 < ours["predict_ms_a_document"] < 1000 * seconds
