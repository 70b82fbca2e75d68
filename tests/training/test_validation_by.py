"""Training with validation documents of groups of their own."""

import shutil

import pytest

from tests.helpers.fit_runs import Killed, metrics
from tests.helpers.tiny_data import write_words_recipe
from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config
from xmc_keras.data.documents import Documents, read_documents
from xmc_keras.evaluation.ensemble.find_untrained import common_groups, find_untrained
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.fit import fit

BY = "validation_by=train_groups.txt"
TRAIN = "xmc_keras.training.loops.train_lightdxml.train_lightdxml"


@pytest.fixture
def data(tiny_data, tmp_path):
    """The tiny data, whose groups have 1, 2, ... documents."""
    folder = shutil.copytree(tiny_data, tmp_path / "data")
    groups = [f"group {i}" for i in range(1, 18) for _ in range(i)] + ["rest"] * 7
    assert len(groups) == 160
    (folder / "train_groups.txt").write_text("\n".join(groups) + "\n")
    return folder


@pytest.fixture
def recipe(data, tmp_path):
    keys = {"validation_by": "train_groups.txt", "epochs": 1, "proxy_epochs": 0}
    return write_words_recipe(tmp_path, data, **keys)


def read(folder):
    return read_documents(folder, "train", groups="train_groups.txt")


@pytest.mark.large
def test_a_run(recipe, data, tmp_path, call, monkeypatch):
    tasks = []

    def keep(task):
        tasks.append(task)
        return trained(task)

    from xmc_keras.training import fit as fit_module

    trained = fit_module.SYSTEMS["lightdxml"]
    monkeypatch.setitem(fit_module.SYSTEMS, "lightdxml", keep)
    run = tmp_path / "run"
    result = call("fit", recipe, "--run", run)
    assert result.status == 0, result.stderr
    [task] = tasks
    assert len(task.validation) == 30 and len(task.train) == 130
    assert not set(task.train.groups) & set(task.validation.groups)
    assert metrics(run)["validation_documents"] == 30
    # From a folder, with the key alone.
    keys = [
        "epochs=1",
        BY,
        "linear=false",
        "validation_documents=30",
        "embedding_dim=8",
    ]
    settings = [argument for key in keys for argument in ("--set", key)]
    result = call("fit", data, "--run", tmp_path / "folder", *settings)
    assert result.status == 0, result.stderr
    assert tasks[1].validation.texts == task.validation.texts
    config = RunFolder(tmp_path / "folder").config()
    assert config.validation_by == "train_groups.txt"
    # Neither run was trained on them.
    train = read(data)
    free = find_untrained([config, RunFolder(run).config()], train)
    assert [train.texts[i] for i in free] == task.validation.texts
    result = call("plan", recipe)
    assert result.status == 0, result.stderr


@pytest.mark.large
def test_resume_after_the_groups_changed(recipe, data, tmp_path, call, monkeypatch):
    def die(*arguments):
        raise Killed

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(TRAIN, die)
        with pytest.raises(Killed):
            call("fit", recipe, "--run", run)
    path = data / "train_groups.txt"
    path.write_text(path.read_text().replace("group 9", "group 8"))
    result = call("fit", recipe, "--run", run, "--resume")
    assert result.status == 2 and "Received: other groups" in result.stderr
    # A run without the key does not depend on them.
    with monkeypatch.context() as patch:
        patch.setattr(TRAIN, die)
        plain = ["fit", recipe, "--run", tmp_path / "p", "--set", "validation_by=null"]
        with pytest.raises(Killed):
            call(*plain)
    path.unlink()
    result = call(*plain, "--resume")
    assert result.status == 0, result.stderr


@pytest.mark.parametrize(
    "content, settings, message",
    [
        (None, [], "Expected train_groups.txt in this folder"),
        ("a\n" * 159, [], "Received: 160 and 159"),
        ("a\n" * 160, [], "all 160 of the group 'a'. Check the file of groups"),
        (
            "a\n" * 80 + "b\n" * 80,
            [],
            "Received: at least 80 in each of 2 groups. Set validation_documents to 80",
        ),
        ("a\n" * 80 + "b\n" * 80, ["validation_by=true"], "Expected true in this"),
        (
            "a\n" * 80 + "b\n" * 80,
            ["validation_documents=80", "train_documents=81"],
            "left by the validation split, 80. Received: 81",
        ),
    ],
)
@pytest.mark.parametrize("command", ["fit", "plan"])
def test_bad_input(command, content, settings, message, recipe, data, tmp_path, call):
    path = data / "train_groups.txt"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    arguments = [argument for key in settings for argument in ("--set", key)]
    if command == "fit":
        arguments += ["--run", tmp_path / "run"]
    result = call(command, recipe, *arguments, tensorflow=False)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert result.status == 2 and len(errors) == 1, result.stderr
    assert message in errors[0]
    assert not (tmp_path / "run").exists()


def test_an_empty_name(data, call, tmp_path):
    for command, more in (("fit", ["--run", tmp_path / "run"]), ("plan", [])):
        result = call(command, data, "--set", "validation_by=", *more, tensorflow=False)
        assert result.status == 2
        assert "Expected validation_by to be text, or null" in result.stderr


def test_an_ensemble_of_two_kinds_of_groups():
    given = ["a.txt", None, "a.txt"]
    configs = [Config(encoder="minilm", validation_by=name) for name in given]
    assert common_groups(configs) == "a.txt" and common_groups(configs[1:2]) is None
    other = Config(encoder="minilm", validation_by="b.txt")
    with pytest.raises(BadInput, match="one validation_by.* Received: a.txt and b.txt"):
        common_groups([*configs, other])


def test_in_memory(data):
    train = read(data)
    keys = {"system": "lightdxml", "encoder": "words", "embedding_dim": 8}
    keys |= {"epochs": 1, "proxy_epochs": 0}
    config = Config(**keys, validation_by="author", validation_documents=30)
    with pytest.raises(BadInput, match="Expected documents with groups .* by author"):
        fit(config, Documents(train.texts, train.labels))
    documents = Documents(train.texts, train.labels, groups=train.groups)
    result = fit(config, documents, progress=False)
    assert result.metrics["validation_documents"] == 30
    # A recipe that names other data draws single documents where there are no groups.
    config = Config(**keys, data="elsewhere", validation_by="train_groups.txt")
    result = fit(config, Documents(train.texts, train.labels), progress=False)
    assert result.metrics["validation_documents"] == 16


def test_a_recipe_on_other_data(recipe, data, tiny_data, tmp_path, caplog):
    caplog.set_level("INFO")
    assert load_config(recipe).validation_by == "train_groups.txt"
    other = load_config(recipe, data=str(tiny_data))
    assert other.validation_by is None
    assert f"validation_by: null, as {tiny_data} has no train_groups" in caplog.text
    copied = shutil.copytree(data, tmp_path / "copied")
    assert load_config(recipe, data=str(copied)).validation_by == "train_groups.txt"
    # Asked for together with the data, it has to be there.
    asked = load_config(recipe, [f"data={tiny_data}", BY])
    assert asked.validation_by == "train_groups.txt"
