import fcntl
import functools
import gc
import importlib
import io
import os
import runpy
import shutil
import sys
import types

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest  # noqa: E402

from tests.helpers.programs import start  # noqa: E402
from tests.helpers.tiny_data import write_part, write_tiny_encoder  # noqa: E402


@pytest.fixture(scope="session")
def minilm():
    """Folder of the real pretrained encoder, as a string."""
    from xmc_keras.encoders.pretrained import find_minilm

    return str(find_minilm())


@pytest.fixture
def backbone():
    """A BERT of two layers of four, over 40 tokens."""
    from tests.helpers.tiny_bert import tiny_bert

    return tiny_bert()


@pytest.fixture(scope="session")
def golden_version(tmp_path_factory):
    """Folder of a version of the golden model, `1` in one of its own: to be copied."""
    from tests.helpers.golden_model import write_golden_model

    folder = tmp_path_factory.mktemp("golden") / "1"
    write_golden_model(folder)
    return folder


@pytest.fixture(scope="session")
def golden_model(golden_version):
    """The golden model, loaded as the server loads it."""
    from xmc_keras.serving.server.served_model import ServedModel

    model = ServedModel(golden_version)
    yield model
    model.close()


@pytest.fixture(scope="session")
def named_version(golden_version, tmp_path_factory):
    """Folder of the golden model with the names of its labels, and titles of two."""
    folder = tmp_path_factory.mktemp("named") / "1"
    shutil.copytree(golden_version, folder)
    extra = folder / "assets.extra"
    extra.mkdir()
    (extra / "labels.txt").write_text("".join(f"L{i}\n" for i in range(10)))
    titles = ["Sea & sky", "", "", "", "Gemüse", *[""] * 5]
    (extra / "label_titles.txt").write_text("\n".join(titles) + "\n")
    return folder


@pytest.fixture(scope="session")
def named_model(named_version):
    """The golden model with names and titles, loaded as the server loads it."""
    from xmc_keras.serving.server.served_model import ServedModel

    model = ServedModel(named_version)
    yield model
    model.close()


@pytest.fixture(autouse=True)
def float32_policy():
    """Leaves the dtype policy as it was, whatever a test sets."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


@pytest.fixture
def no_collection():
    """Only what nothing refers to is freed, no cycles of references."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Makes a folder for all processes of the tests, in the first that asks for it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def made_once(name, make):
        folder, whole = root / name, root / f"{name}.whole"
        with open(root / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not whole.exists():
                folder.mkdir(exist_ok=True)
                make(folder)
                whole.touch()
        return folder

    return made_once


@pytest.fixture(scope="session")
def tiny_data(made_once):
    """Folder of 160 and 60 documents with 20 labels that can be learnt."""

    def make(folder):
        write_part(folder, "train", 160, seed=1)
        write_part(folder, "test", 60, seed=2)

    return made_once("tiny_data", make)


@pytest.fixture(scope="session")
def tiny_encoder(made_once):
    """Folder of a keras-nlp preset: BERT of two layers of 32, over `WORDS`."""
    return made_once("tiny_encoder", write_tiny_encoder)


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory, tiny_data, tiny_encoder):
    """Path of a config that learns the tiny data in seconds."""
    path = tmp_path_factory.mktemp("configs") / "tiny.yaml"
    path.write_text(
        f"""
data: {tiny_data}
encoder: {tiny_encoder}
validation_documents: 30
max_tokens: 16
num_feature_layers: 2
feature_dropout: 0.1
max_leaf: 5
top_k: 2
bottleneck_dim: 8
initial_probability: 0.5
epochs: 3
batch_size: 8
learning_rate: 0.01
head_learning_rate: 0.03
swa_start: 1
swa_every: 5
num_predictions: 10
"""
    )
    return path


@pytest.fixture(scope="session")
def tiny_run(made_once, tiny_config):
    """A run that is finished: its `folder`, and the program's `stdout`, `stderr`."""

    def make(folder):
        process = start("fit", tiny_config, "--run", folder / "runs/tiny")
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stderr.decode()
        (folder / "stdout").write_bytes(stdout)
        (folder / "stderr").write_bytes(stderr)

    folder = made_once("tiny_run", make)
    said = {name: (folder / name).read_text("utf-8") for name in ("stdout", "stderr")}
    return types.SimpleNamespace(folder=folder / "runs/tiny", **said)


@pytest.fixture
def call(monkeypatch, capfd):
    """Runs a command of `xmc` within this process, which is much faster.

    `name` is a command, or a module such as `benchmarks.recipes`. Returns its
    `status`, `stdout` and `stderr`. With `tensorflow=False` it cannot import Keras.
    """

    def call(name, *arguments, stdin=b"", tensorflow=True):
        arguments = [str(argument) for argument in arguments]
        if "." in name:
            run = functools.partial(runpy.run_module, name, run_name="__main__")
        else:
            program = importlib.import_module("xmc_keras.cli.program")
            run = functools.partial(program.main, [name, *arguments])
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [name, *arguments])
            # `runpy` warns of a module that a test has imported.
            patch.delitem(sys.modules, name, raising=False)
            buffer = io.BufferedReader(io.BytesIO(stdin))
            patch.setattr(sys, "stdin", io.TextIOWrapper(buffer))
            if not tensorflow:
                patch.setitem(sys.modules, "keras", None)
            try:
                run()
                status = 0
            except SystemExit as end:
                status = end.code
        stdout, stderr = capfd.readouterr()
        return types.SimpleNamespace(status=status, stdout=stdout, stderr=stderr)

    return call
