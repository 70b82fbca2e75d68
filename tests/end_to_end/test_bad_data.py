"""Bad input on the command line: one sentence, status 2, no files left behind.

It is reported before TensorFlow is imported, unless TensorFlow is needed to find it.
"""

import gzip
import lzma
import re
import shutil
import time

import pytest

from tests.helpers.programs import start
from tests.helpers.tiny_data import write_part


@pytest.fixture
def data(tmp_path):
    """A valid data folder, which a test then damages."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_part(folder, "train", 60, seed=1)
    write_part(folder, "test", 40, seed=2)
    return folder


@pytest.fixture
def recipe(tmp_path, data):
    path = tmp_path / "recipe.yaml"
    lines = ["encoder: no/such/folder", "validation_documents: 10", "max_leaf: 5"]
    path.write_text("\n".join([f"data: {data}", *lines, "top_k: 2", ""]))
    return path


@pytest.fixture
def refused(tmp_path, recipe, call):
    """Calls `xmc fit` and asserts that it fails with a message of a pattern."""

    def refused(pattern, *arguments, tensorflow=False):
        before = tree(tmp_path)
        run = () if "--run" in arguments else ("--run", tmp_path / "runs/new")
        result = call("fit", recipe, *run, *arguments, tensorflow=tensorflow)
        assert_one_sentence(result, pattern)
        assert tree(tmp_path) == before

    return refused


def assert_one_sentence(result, pattern):
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert re.search(pattern, result.stderr), result.stderr


def tree(folder):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def spoil(path, line, content):
    """Replaces a line, counted from 1, by other bytes; `None` removes it."""
    lines = path.read_bytes().split(b"\n")
    lines[line - 1 : line] = [] if content is None else [content]
    path.write_bytes(b"\n".join(lines))


@pytest.mark.parametrize(
    ("file", "line", "content", "pattern"),
    [
        ("train_texts.txt", 7, None, "as many lines .* Received: 59 and 60,"),
        ("test_labels.txt", 7, None, "as many lines .* Received: 40 and 39,"),
        ("train_texts.txt", 7, b"", "train_texts.txt:7: .* an empty line.*--skip-bad"),
        ("train_texts.txt", 7, b" \t", "train_texts.txt:7: .* an empty line"),
        ("train_labels.txt", 9, b"", "train_labels.txt:9: Expected labels"),
        ("test_texts.txt", 3, b"caf\xe9", "test_texts.txt:3: .* invalid UTF-8 at"),
        ("test_labels.txt", 3, b"\xff", "test_labels.txt:3: .* invalid UTF-8 at"),
    ],
)
def test_a_bad_line(data, refused, file, line, content, pattern):
    spoil(data / file, line, content)
    refused(pattern)


def test_files_that_are_empty_missing_or_damaged(data, refused, tmp_path):
    path = data / "train_labels.txt"
    whole = path.read_bytes()
    path.write_bytes(b"")
    refused("train_labels.txt: Expected one document per line. Received: an empty file")
    path.unlink()
    refused("data: Expected train_labels.txt in this folder, plain or with .gz or .xz")
    for suffix, compress in ((".gz", gzip.compress), (".xz", lzma.compress)):
        damaged = data / f"train_labels.txt{suffix}"
        damaged.write_bytes(compress(whole)[:-20])
        refused(f"train_labels.txt{suffix}:[0-9]+: Expected an intact file")
        damaged.unlink()
    shutil.rmtree(data)
    refused(
        "data: Expected train_raw_texts.txt or train_texts.txt .* Received: no such "
        "folder. Convert other formats with xmc prepare; xmc download gets"
    )


@pytest.mark.parametrize(
    ("setting", "pattern"),
    [
        ("epohcs=3", r"setting epohcs=3: Unknown config key: epohcs \(did you mean"),
        (
            "epochs=three",
            "Expected epochs to be an integer of at least 1. Received: 't",
        ),
        ("epochs", "Expected key=value, such as epochs=3"),
        ("swa_start=9", "Expected swa_start to be below epochs"),
        ("top_k=13", r"recipe.yaml: Expected top_k .* clusters, 4. Received: top_k=13"),
        ("train_documents=51", "left by the validation split, 50. Received: 51"),
        ("validation_documents=60", "Received: size=60, num_documents=60"),
        ("data=no/such/folder", "no/such/folder: Expected train_raw_texts.txt or"),
    ],
)
def test_a_bad_setting(refused, setting, pattern):
    refused(pattern, "--set", setting)


def test_more_than_the_memory(refused):
    refused(
        "recipe.yaml: Expected a run that fits into memory. Received: .* GB .*"
        "These help: .*bottleneck_dim: .*--any-memory starts anyway",
        *("--set", "encoder=minilm", "--set", "bottleneck_dim=1000000000"),
        tensorflow=True,  # to ask for a GPU
    )


def test_a_bad_recipe(recipe, refused):
    good = recipe.read_text()
    recipe.write_text(good + "epohcs: 3\n")
    refused(r"recipe.yaml:6: Unknown config key: epohcs \(did you mean epochs\?\)")
    recipe.write_text(good + "batch_size: 3.5\n")
    refused("recipe.yaml:6: Expected batch_size to be an integer .* Received: 3.5.")
    recipe.write_text(good + "epochs: [\n")
    refused("recipe.yaml:[67]: Expected YAML")
    recipe.write_text("data: here\n")
    refused("recipe.yaml: Expected the key encoder, which has no default")
    recipe.unlink()
    refused("recipe.yaml: Expected a config file, or .* Received: No such file")


def test_a_bad_place_for_the_run(refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    refused("file: Expected a folder. Received: a file.", "--run", tmp_path / "file")
    refused("Not a directory", "--run", tmp_path / "file" / "run")
    for flags in ([], ["--resume"], ["--overwrite"]):
        refused("data: .* another folder", "--run", tmp_path / "data", *flags)


@pytest.fixture
def earlier(data, recipe, tmp_path):
    """Begins a run with the recipe and other settings, on the data as they are."""
    from xmc_keras.config.config_file import load_config
    from xmc_keras.data.documents import read_documents
    from xmc_keras.labels.label_set import LabelSet
    from xmc_keras.runs.run_folder import RunFolder

    def earlier(*settings):
        train = read_documents(data, "train")
        label_set = LabelSet.from_labels(train.labels)
        run = RunFolder(tmp_path / "run")
        run.begin(load_config(recipe, settings), label_set, [list(range(20))], train)
        return run

    return earlier


def test_bad_data_leaves_the_run_that_is_there(data, refused, earlier):
    run = earlier("data=elsewhere")
    run.save_metrics({"P@1": 50.0})
    (run.path / "best.keras").write_bytes(b"what was learnt")
    run = run.path
    refused("no earlier run. Received: a run folder. .*--resume", "--run", run)
    refused(
        "Received: epochs was",
        "--run",
        run,
        "--resume",
        "--set",
        "epochs=9",
    )
    spoil(data / "train_texts.txt", 7, b"")
    refused("train_texts.txt:7: ", "--run", run, "--overwrite")


def test_other_data_than_the_run_was_begun_with(data, refused, earlier):
    run = earlier()
    spoil(data / "train_texts.txt", 7, b"another text")
    refused(
        "train_texts.txt: Expected the training part that the run was started with",
        *("--run", run.path, "--resume"),
    )


def test_encoders_that_cannot_be_used(recipe, refused, tiny_encoder):
    refused("`encoder` to be a keras-nlp preset.*no/such/folder", tensorflow=True)
    recipe.write_text(
        recipe.read_text().replace("no/such/folder", str(tiny_encoder))
        + "num_feature_layers: 2\nmax_tokens: 32\n"
    )
    for setting, pattern in (
        ("max_tokens=33", "most the encoder's 32 positions. Received: max_tokens=33"),
        ("num_feature_layers=3", "num_feature_layers=3, backbone with 2 layers"),
    ):
        refused(
            f"recipe.yaml: This config does not fit its encoder. Expected .*{pattern}",
            *("--set", setting),
            tensorflow=True,
        )


def test_bad_lines_are_left_out_and_counted(data, recipe, tmp_path, call, caplog):
    spoil(data / "train_texts.txt", 7, b"")
    spoil(data / "train_labels.txt", 9, b"\xff")
    spoil(data / "test_texts.txt", 3, b"caf\xe9")
    spoil(data / "test_labels.txt", 4, b"label03 new")
    # The run gets as far as the encoder, which does not exist.
    arguments = ["--run", tmp_path / "runs/new", "--skip-bad-lines"]
    result = call("fit", recipe, *arguments)
    assert_one_sentence(result, "`encoder` to be a keras-nlp preset")
    warnings = [record.message for record in caplog.records if record.levelno >= 30]
    assert len(warnings) == 2
    assert "58 documents, 2 bad lines left out. The first: " in warnings[0]
    assert "train_texts.txt:7: " in warnings[0]
    assert "skip" not in warnings[0]  # which was done
    assert "39 documents, 1 bad lines left out" in warnings[1]


def test_the_program_itself(data, recipe, tmp_path):
    spoil(data / "train_texts.txt", 7, b"")
    before, begun = tree(tmp_path), time.monotonic()
    process = start("fit", recipe, "--run", tmp_path / "runs/new")
    stdout, stderr = process.communicate()
    assert (process.returncode, stdout) == (2, b"")
    *log, error = stderr.decode().splitlines()
    assert error.startswith("error: ") and "train_texts.txt:7: " in error
    assert [line[9:] for line in log] == [f"Reading {data}"]
    assert tree(tmp_path) == before
    assert time.monotonic() - begun < 20
