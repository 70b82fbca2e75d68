"""The recipes of the paper's sets, end to end, with the sets' numbers of labels.

Texts are made up, training is two steps and the encoder is small; all else is as a user
has it: prepare, fit, evaluate, export, serve, ask over REST, a program each.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.benchmark_folder import VOCABULARY, write_benchmark_folder
from tests.helpers.project import PROJECT, RECORDED
from tests.helpers.tiny_data import write_tiny_encoder
from xmc_keras.config.config_file import load_config
from xmc_keras.data.downloads.benchmark_sets import SETS
from xmc_keras.serving.client import Client

MOST_GB = 12
# Runs a command, then prints its peak memory.
RUN = """
from xmc_keras.cli.program import main
from xmc_keras.training.memory import measure_peak_memory
main({argv!r})
print("peak", measure_peak_memory())
"""
VARIANTS = {
    **dict.fromkeys(("eurlex4k", "wiki31k", "amazoncat13k"), ("roberta", "xlnet")),
    **dict.fromkeys(("wiki500k", "amazon670k"), ("seed1", "seed2")),
}
RECIPES = [
    name
    for name, variants in VARIANTS.items()
    for name in (name, *(f"{name}_{variant}" for variant in variants))
]


class Commands:
    """Runs commands of `xmc`; `figures` has seconds and memory of each."""

    def __init__(self):
        self.figures = {}

    def __call__(self, command, *arguments):
        code = RUN.format(argv=[command, *map(str, arguments)])
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        output, _, peak = done.stdout.rpartition("peak ")
        seconds = round(time.monotonic() - begun, 1)
        self.figures[command] = {"seconds": seconds, "peak_gb": round(float(peak), 2)}
        return output


@contextlib.contextmanager
def serving(exports, log):
    """The address of a server of `exports`."""
    command = [sys.executable, "export/serve.py", str(exports), "--rest-port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with open(log, "wb") as stderr:
        process = subprocess.Popen(
            [*command, "--no-grpc"], cwd=PROJECT, env=environment, stderr=stderr
        )
    try:
        deadline = time.monotonic() + 300
        while not (found := re.search(r"(http://127.0.0.1:\d+)/\n", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@pytest.fixture(scope="module")
def small_encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small_encoder")
    sizes = {"num_layers": 5, "hidden_dim": 16, "intermediate_dim": 32}
    write_tiny_encoder(folder, VOCABULARY, **sizes, max_sequence_length=512)
    return folder


@pytest.mark.large
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_from_files_to_answers(name, tmp_path, small_encoder):
    base, _, variant = name.partition("_")
    wanted = SETS[base]
    recipe = PROJECT / f"configs/{name}.yaml"
    batch_size = load_config(recipe).batch_size
    source, data = tmp_path / "source", tmp_path / "data"
    run, exports = tmp_path / "run", tmp_path / "exports"
    source.mkdir()
    labels_a_document = round(wanted.labels_a_document)
    count = write_benchmark_folder(source, wanted.labels, labels_a_document)
    xmc = Commands()
    xmc("prepare", source, data)
    summary = json.loads((data / "summary.json").read_text())
    assert (summary["labels"], summary["train"]["documents"]) == (wanted.labels, count)

    settings = {
        "data": data,
        "encoder": small_encoder,
        "train_documents": 2 * batch_size,
        "validation_documents": 32,
        "epochs": 1,
        "swa_start": "null",
    }
    if (RECORDED / variant).is_dir() and variant:
        settings |= {"encoder": RECORDED / variant, "num_feature_layers": 3}
        settings["max_tokens"] = 32
    settings = [f"--set={key}={value}" for key, value in settings.items()]
    xmc("fit", recipe, "--run", run, *settings)
    assert (run / "history.csv").read_text().count("\n") == 2
    found = json.loads(xmc("evaluate", run, "--json"))
    assert (found["documents"], found["labels"]) == (40, wanted.labels)
    xmc("export", run, exports)
    text = (data / "test_texts.txt").read_text().partition("\n")[0]
    with serving(exports, tmp_path / "log") as address:
        client = Client(address, exports.name, timeout=300)
        (answer,) = client.recommend([text])
    names = set((run / "label_names.txt").read_text().split("\n"))
    assert len(answer) == 5 and {label for label, _ in answer} <= names
    print(json.dumps({name: xmc.figures}))
    for figures in xmc.figures.values():
        assert figures["peak_gb"] <= MOST_GB
