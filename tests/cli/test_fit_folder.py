"""`xmc fit FOLDER`: a config that is chosen for the data."""

import json
import logging
import lzma
import shutil

import pytest
import yaml

from tests.helpers.fit_runs import METRICS, Killed, metrics
from tests.helpers.project import PROJECT
from xmc_keras.config.choose_config import choose_config
from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import read_documents
from xmc_keras.runs.run_folder import RunFolder

# So that it trains in seconds.
CHANGED = {"epochs": 2, "embedding_dim": 16, "char_ngrams": None, "linear_c": 1.0}
QUICK = [f"{key}={yaml.safe_dump(value).split()[0]}" for key, value in CHANGED.items()]
QUICK = [argument for pair in QUICK for argument in ("--set", pair)]


def write_lines(folder, part, count):
    """Writes the first lines of a part of Debian-24K."""
    for name in (f"{part}_texts.txt", f"{part}_labels.txt"):
        with lzma.open(PROJECT / "data/debian24k" / f"{name}.xz", "rt") as file:
            lines = [next(file) for _ in range(count)]
        (folder / name).write_text("".join(lines))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Folder of 150 and 40 real documents, with a dot in its name."""
    folder = tmp_path_factory.mktemp("packages") / "debian.packages"
    folder.mkdir()
    write_lines(folder, "train", 150)
    write_lines(folder, "test", 40)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def no_reading(monkeypatch):
    """An exception where data is read."""

    def die(*arguments, **named):
        raise Killed

    monkeypatch.setattr("xmc_keras.cli.fit.read_part", die)


def test_from_a_folder_to_a_run(data, here, call, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    result = call("fit", data, *QUICK)
    assert result.status == 0, result.stderr
    assert "LightDXML" in result.stdout and "most popular labels" in result.stdout
    run = RunFolder("runs/debian.packages")
    found, config = metrics(run.path), run.config()
    assert found["documents"] == 40 and found["train_documents"] == 135
    assert found["P@1"] > found["baselines"]["most popular labels"]["P@1"]
    assert config.data == str(data)
    assert {key: getattr(config, key) for key in CHANGED} == CHANGED
    said = [m.removeprefix("Chosen: ") for m in caplog.messages if "Chosen: " in m]
    expected, reasons = choose_config(read_documents(data, "train"))
    for key, value in vars(expected).items():
        changed = key in ("data", "validation_documents", *CHANGED)
        assert changed or getattr(config, key) == value, key
    # The others name keys that are set.
    assert {reasons[0], reasons[-1]} <= set(said)
    assert said[-1] == "as set: embedding_dim, epochs, char_ngrams"
    joined = found["member_weights"]
    assert [len(row) for row in joined] == [4] * 5 and found["linear_c"] > 0
    # An evaluation of the run that was saved is the same.
    result = call("evaluate", run.path, "--json")
    again = yaml.safe_load(result.stdout)
    for key in METRICS:
        assert again[key] == pytest.approx(found[key], abs=1e-6)

    # A second call is refused before the data is read, one with --resume has ended.
    def die(*arguments, **named):
        raise Killed

    monkeypatch.setattr("xmc_keras.cli.fit.read_part", die)
    result = call("fit", data, *QUICK)
    assert result.status == 2 and "--resume" in result.stderr
    assert "--overwrite" in result.stderr
    caplog.clear()
    assert call("fit", data, "--resume", *QUICK).status == 0
    assert call("fit", data, "--resume").status == 0
    assert "This run is finished" in caplog.text
    result = call("fit", data, "--resume", "--set", "epochs=3")
    assert result.status == 2 and "epochs was 2, is 3" in result.stderr
    with pytest.raises(Killed):
        call("fit", data, *QUICK, "--overwrite")
    assert metrics(run.path) == found


@pytest.mark.large
def test_without_a_test_part_and_interrupted(data, here, call, caplog, monkeypatch):
    folder = here / "some"
    folder.mkdir()
    for name in ("train_texts.txt", "train_labels.txt"):
        shutil.copy(data / name, folder)

    def die(*arguments, **named):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("xmc_keras.training.loops.join_linear.fit_band_weights", die)
        with pytest.raises(Killed):
            call("fit", "some", *QUICK)
    # Chosen once: a later version would choose something else.
    monkeypatch.setattr("xmc_keras.config.choose_config.choose_config", die)
    result = call("fit", folder, "--resume")
    assert result.status == 0, result.stderr
    found = metrics(here / "runs/some")
    assert found["documents"] == found["validation_documents"] == 15
    # Of documents that no part of the model has learnt from.
    assert found["learnt_validation"] is False
    for name in ("P@1", "P@3", "P@5"):
        assert found[name] == pytest.approx(found["validation"][name], abs=0.01)


@pytest.mark.large
def test_a_folder_of_features(here, call):
    folder = here / "features"
    folder.mkdir()
    for name, count in (("train", 120), ("test", 30)):
        lines = [f"{count} 12 4"]
        lines += [f"{i % 4} {i % 4}:0.8 {4 + i % 8}:0.6" for i in range(count)]
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    result = call("fit", folder, *QUICK)
    assert result.status == 0, result.stderr
    found = metrics(here / "runs/features")
    assert found["P@1"] == 100 and found["learnt_validation"] is True


@pytest.mark.parametrize(
    "settings, message",
    [
        (["label_words=0"], "setting label_words=0: Expected label_words with linear"),
        (["encoder=minilm"], "setting encoder=minilm: Expected label_words to be 0"),
        (
            ["system=lightxml", "refresh=3"],
            "setting refresh=3: Expected keys of lightxml. Received:",
        ),
        (["max_leaf=3"], "setting max_leaf=3: Expected keys of lightdxml"),
        (["epochs=no"], "setting epochs=no: Expected epochs"),
        (["epoch=3"], "setting epoch=3: Unknown config key: epoch (did you mean"),
        (["validation_documents=150"], "Expected a validation size"),
    ],
)
def test_settings_that_conflict(settings, message, data, here, call):
    arguments = [argument for pair in settings for argument in ("--set", pair)]
    result = call("fit", data, *arguments, tensorflow=False)
    assert result.status == 2 and "Traceback" not in result.stderr
    assert message in result.stderr
    assert not (here / "runs/debian.packages").exists()


@pytest.mark.parametrize(
    "files, message",
    [
        ({}, "train_texts.txt"),
        ({"train_texts.txt": "a b\n" * 5}, "train_labels.txt"),
        (
            {"train_texts.txt": "a b\n", "train_labels.txt": "x\n"},
            "Expected at least 3 documents to train on",
        ),
        (
            {"train_texts.txt": "--\n" * 5, "train_labels.txt": "x\n" * 5},
            "Expected texts with at least one word",
        ),
        ({"config.yaml": "epochs: 2\n"}, "train_texts.txt"),
    ],
)
def test_folders_without_data(files, message, here, call):
    folder = here / "some"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    result = call("fit", folder, tensorflow=False)
    (line,) = result.stderr.strip().splitlines()[-1:]
    assert result.status == 2 and "Traceback" not in result.stderr
    assert message in line and "some" in line and "Expected" in line
    assert not (here / "runs").exists()


def test_the_folder_of_another_program(data, here, call, no_reading):
    (here / "runs/debian.packages").mkdir(parents=True)
    (here / "runs/debian.packages/letter.txt").write_text("Dear Ada")
    for again in ([], ["--overwrite"], ["--resume"]):
        result = call("fit", data, *again)
        assert result.status == 2 and "Expected a run folder" in result.stderr
    assert (here / "runs/debian.packages/letter.txt").exists()


def test_the_name_of_a_recipe_is_no_folder(here, call, monkeypatch):
    (here / "quickstart").mkdir()
    seen = []

    def die(args, config, run, workers):
        seen.append((config, run.path.as_posix()))
        raise Killed

    monkeypatch.setattr("xmc_keras.cli.fit.fit_run", die)
    for name in ("quickstart", here / "quickstart"):
        with pytest.raises(Killed):
            call("fit", name)
    assert seen == [
        (load_config("quickstart"), "runs/quickstart"),
        (None, "runs/quickstart"),
    ]


def test_the_plan_is_of_what_fit_would_choose(data, here, call, caplog):
    caplog.set_level(logging.INFO)
    result = call("plan", data, "--set", "epochs=2", "--json")
    assert result.status == 0, result.stderr
    said = [message for message in caplog.messages if message.startswith("Chosen: ")]
    _, reasons = choose_config(read_documents(data, "train"), ["epochs=2"])
    assert said == [f"Chosen: {reason}" for reason in reasons]
    assert json.loads(result.stdout)["fits"] and "as set: epochs" in reasons
    assert not (here / "runs").exists()
