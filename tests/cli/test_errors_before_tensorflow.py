"""Errors that need no TensorFlow are reported before it is imported."""

import json
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers.project import PROJECT
from xmc_keras.config.config import Config
from xmc_keras.data.documents import read_documents
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.version.model_card import CARD_KEYS

# Runs commands one after the other; prints what each ended with as a line of JSON.
PROGRAM = """
import contextlib, io, json, sys
from xmc_keras.cli.program import main
sys.modules |= {"tensorflow": None, "keras": None}  # an error where they are needed
for line in sys.stdin:
    said, status = io.StringIO(), 0
    said.reconfigure = lambda **settings: None
    with contextlib.redirect_stderr(said):
        try:
            main(json.loads(line))
        except SystemExit as end:
            status = end.code
        except ImportError as error:
            status = repr(error)
    print(json.dumps([status, said.getvalue()]), flush=True)
"""


def write_run(folder, data):
    """A run that looks finished, but whose models cannot be loaded."""
    train = read_documents(data, "train")
    label_set = LabelSet.from_labels(train.labels)
    run = RunFolder(folder)
    config = Config(data=str(data), encoder="minilm", num_predictions=10)
    clusters = np.arange(len(label_set), dtype=np.int32).reshape(-1, 5)
    run.begin(config, label_set, clusters, train)
    (folder / "best.keras").write_bytes(b"no model")
    metrics = {
        f"{m}@{k}": 1.0 for m in ("P", "nDCG", "PSP", "PSnDCG") for k in (1, 3, 5)
    }
    run.save_metrics(metrics | dict.fromkeys(CARD_KEYS, 1.0))
    names = "epoch,learning_rate,loss,val_loss,val_precision_at_1,"
    names += "val_precision_at_3,val_precision_at_5"
    (folder / "history.csv").write_text(names + "\n0,1,1,1,1,1,1\n")
    return folder


@pytest.fixture
def places(tmp_path, tiny_data):
    """Folders for the commands, by the names that they have in `COMMANDS`."""
    found = {"tmp": tmp_path, "data": tiny_data}
    for name in ("run", "other", "unfinished", "no_model", "no_data"):
        found[name] = write_run(tmp_path / name, tiny_data)
    (tmp_path / "unfinished/metrics.json").unlink()
    (tmp_path / "no_model/best.keras").unlink()
    moved = shutil.copytree(tiny_data, tmp_path / "moved")
    found["no_data"] = write_run(tmp_path / "no_data", moved)
    shutil.rmtree(moved)
    (tmp_path / "file").write_text("a text\n")
    (tmp_path / "export/1").mkdir(parents=True)
    (tmp_path / "export/1/saved_model.pb").touch()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/main.tex").touch()
    (tmp_path / "trip_pictures").mkdir()
    (tmp_path / "trip_pictures/sea.jpg").touch()
    (tmp_path / "config.yaml").write_text(f"data: {tiny_data}\nencoder: minilm\n")
    return found


COMMANDS = [
    ("fit nowhere.yaml", "Expected a config file"),
    ("fit {tmp}/config.yaml --set data={tmp}/none --run {tmp}/r", "train_texts.txt"),
    ("fit {tmp}/config.yaml --run {tmp}/export", "Received: another folder"),
    ("fit {tmp}/config.yaml --run {data} --overwrite", "Received: another folder"),
    ("fit {tmp}/config.yaml --run {tmp}/file/r", "Expected a place for a run"),
    ("fit {tmp}/config.yaml --run {run} --resume", "num_predictions was 10, is 100"),
    ("plan {tmp}/config.yaml --set data=nowhere", "no such folder"),
    ("sweep nowhere.yaml", "Expected a config file"),
    ("sweep {tmp}/config.yaml --runs {run}", "Received: the folder of a run. Choose"),
    ("sweep {tmp}/config.yaml --runs {tmp}/export", "Received: the folder of an exp"),
    ("prepare {tmp}/nowhere {tmp}/p", "nowhere"),
    ("prepare {data} {run}", "Received: something else"),
    ("prepare {data} {tmp}/export --overwrite", "Received: something else"),
    ("prepare {data} {tmp}/file", "Received: something else"),
    ("evaluate {tmp}/nowhere", "Received: none. Train one"),
    ("evaluate {data}", "Received: none. Train one"),
    ("evaluate {no_model}", "Received: no model"),
    ("evaluate {run} --model averaged", "Choose it with --model"),
    ("evaluate {no_data}", "Say where it is with --data."),
    ("evaluate {run} --data {tmp}/none", "none: Expected a folder of data"),
    ("evaluate {run} --texts {tmp}/none --labels {tmp}/none", "none: Expected a text"),
    ("predict {tmp}/nowhere text", "Received: none. Train one"),
    ("predict {no_model} text", "Received: no model"),
    ("predict {run} --model averaged text", "Choose it with --model"),
    ("predict {run} -k 11 text", "between 1 and num_predictions of the run, 10"),
    ("predict {run} --input {tmp}/none", "Expected a text file"),
    ("predict {run} --output {tmp}/thesis text", "Received: a folder"),
    ("predict {run} --output {run} --overwrite text", "Received: a folder"),
    ("predict {run} --output {tmp}/file text", "Received: a file. Replace it"),
    ("predict {run} --output {tmp}/file/x text", "Expected a place for answers"),
    ("predict {run} --output {run}/metrics.json --overwrite text", "a file of a run"),
    ("ensemble {run} {tmp}/nowhere", "Received: none. Train one"),
    ("ensemble {run} {unfinished}", "without metrics.json"),
    ("ensemble {run} {no_model}", "Received: no model"),
    ("ensemble {run} {other} --output {no_model}", "the folder of a run"),
    ("ensemble {run} {other} --output {data}", "the folder of a data set"),
    ("ensemble {run} {other} --output {tmp}/export", "the folder of an export"),
    ("ensemble {run} {other} --output {tmp}/file", "file"),
    ("ensemble {no_data} {run}", "Say where it is with --data."),
    ("report {run} --output {tmp}/thesis", "Received: a folder"),
    ("report {run} --output {tmp}/file", "Replace it with --overwrite"),
    ("report {run} --output {run}/metrics.json --overwrite", "another with --output"),
    ("report {run} --output {tmp}/file/x.html", "Not a directory"),
    ("report {run} --output {tmp}/trip.html --overwrite", "Received: other files in"),
    ("report {no_model} --output {tmp}/r.html", "Received: no model"),
    ("report {no_data} --output {tmp}/r.html", "Say where it is with --data."),
    ("export {run} {other}", "Received: the folder of a run. Give an empty or new"),
    ("export {run} {data}", "Received: the folder of a data set. Give an empty or"),
    ("export {run} {tmp}/thesis", "Received: a folder with other files. Give an"),
    ("export {run} {tmp}", "Received: a folder with other files."),
    ("export {run} {tmp}/export/1", "Received: a version itself."),
    ("export {run} {tmp}/file", "Received: a file."),
    ("export {run} {tmp}/file/x", "Not a directory"),
    ("export {tmp}/nowhere {tmp}/e", "Received: none. Train one"),
    ("export {unfinished} {tmp}/e", "without metrics.json"),
    ("export {no_model} {tmp}/e", "Received: no model"),
    ("export {run} {tmp}/e --model averaged", "Choose it with --model"),
    ("export {run} {tmp}/e -k 11", "Expected k between 1 and 10"),
    ("export {run} {tmp}/export --version 1", "Received: 1. Leave --version out"),
    ("export {run} {tmp}/e --weights 1,2", "Received: one. Leave --weights out."),
    ("export {run} {tmp}/e --data {tmp}/none", "none: Expected a folder of data"),
    ("serve {tmp}/nowhere", "Received: No such file or directory."),
    ("serve {run}", "Received: no folder whose name is a number."),
    ("serve {tmp}/export/1", "a SavedModel itself"),
    ("serve {tmp}/export --rest-port {port}", "Address already in use"),
    ("ask --url {tmp} text", "Expected"),
]


def test_errors(places):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        places["port"] = taken.getsockname()[1]
        commands = [(command.format(**places), words) for command, words in COMMANDS]
        before = sorted(places["tmp"].rglob("*"))
        lines = "".join(json.dumps(command.split()) + "\n" for command, _ in commands)
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            cwd=PROJECT,
            input=lines,
            capture_output=True,
            text=True,
        )
    found = [json.loads(line) for line in process.stdout.splitlines()]
    assert len(found) == len(commands), process.stderr
    wrong = []
    for (command, words), (status, said) in zip(commands, found):
        said = "\n".join(li for li in said.splitlines() if li.startswith("error: "))
        if status != 2 or words not in said or "\n" in said:
            wrong.append(f"{command}\n  {words}\n  {status} {said}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert sorted(places["tmp"].rglob("*")) == before  # nothing is written
