import importlib
import io
import os
import subprocess
import sys
import types
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
import pytest  # noqa: E402

PROJECT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(PROJECT / "trainers"), str(PROJECT / "export")]


@pytest.fixture(scope="session")
def minilm():
    """Folder of the real pretrained encoder, as a string."""
    from xmc_keras.pretrained import minilm_folder

    return str(minilm_folder())


@pytest.fixture
def backbone():
    """A BERT of two layers of four, over 40 tokens."""
    import keras
    import keras_nlp

    keras.utils.set_random_seed(0)
    return keras_nlp.models.BertBackbone(
        vocabulary_size=40,
        num_layers=2,
        num_heads=2,
        hidden_dim=4,
        intermediate_dim=8,
        max_sequence_length=16,
        dropout=0.0,
    )


@pytest.fixture(autouse=True)
def float32_policy():
    """Leaves the dtype policy as it was, whatever a test sets."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")


WORDS = {f"label{i:02d}": [f"word{i}a", f"word{i}b", f"word{i}c"] for i in range(20)}


def write_part(folder, part, num_documents, seed):
    """Documents of one to four labels, each said by two of its own words."""
    rng = np.random.default_rng(seed)
    names, share = list(WORDS), 1 / np.arange(3, 3 + len(WORDS))
    texts, labels = [], []
    for i in range(num_documents):
        size = rng.integers(1, 4)
        chosen = set(rng.choice(names, size, replace=False, p=share / share.sum()))
        chosen.add(names[i % len(names)])  # so that no label is unseen
        words = [word for name in sorted(chosen) for word in rng.choice(WORDS[name], 2)]
        texts.append(" ".join(rng.permutation(words)))
        labels.append(" ".join(sorted(chosen)))
    (folder / f"{part}_texts.txt").write_text("\n".join(texts) + "\n")
    (folder / f"{part}_labels.txt").write_text("\n".join(labels) + "\n")


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """Folder of 160 and 60 documents with 20 labels that can be learnt."""
    folder = tmp_path_factory.mktemp("tiny_data")
    write_part(folder, "train", 160, seed=1)
    write_part(folder, "test", 60, seed=2)
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory):
    """Folder of a keras-nlp preset: BERT of two layers of 32, over `WORDS`."""
    import keras
    import keras_nlp

    folder = tmp_path_factory.mktemp("tiny_encoder")
    words = [word for words in WORDS.values() for word in words]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    keras.utils.set_random_seed(0)
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=32,
    )
    # Words far apart, as after pretraining: the model learns in three epochs.
    embeddings = backbone.token_embedding.embeddings
    embeddings.assign(keras.random.normal(embeddings.shape, seed=0))
    backbone.save_to_preset(str(folder))
    keras_nlp.models.BertTokenizer(vocabulary).save_to_preset(str(folder))
    return folder


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


def start(name, *arguments, **kwargs):
    """Starts a program of trainers/, as a user does; returns the `Popen`."""
    command = [sys.executable, f"trainers/{name}.py", *map(str, arguments)]
    kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **kwargs}
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.Popen(command, cwd=PROJECT, env=environment, **kwargs)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, tiny_config):
    """A run that is finished: its `folder`, and the program's `stdout`, `stderr`."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    process = start("fit", tiny_config, "--run", folder)
    stdout, stderr = (output.decode() for output in process.communicate())
    assert process.returncode == 0, stderr
    return types.SimpleNamespace(folder=folder, stdout=stdout, stderr=stderr)


@pytest.fixture
def call(monkeypatch, capfd):
    """Runs a program of trainers/ within this process, which is much faster.

    Returns its `status`, `stdout` and `stderr`. With `tensorflow=False` it may not
    import Keras.
    """

    def call(name, *arguments, stdin=b"", tensorflow=True):
        program = importlib.import_module("xmc_keras.program")
        main = importlib.import_module(name).main
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", [name, *map(str, arguments)])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            if not tensorflow:
                patch.setitem(sys.modules, "keras", None)
            try:
                program.run(main)
                status = 0
            except SystemExit as end:
                status = end.code
        stdout, stderr = capfd.readouterr()
        return types.SimpleNamespace(status=status, stdout=stdout, stderr=stderr)

    return call
