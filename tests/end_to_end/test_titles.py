"""Titles of labels, from a folder of data to a version and answers."""

import json
import re
import shutil

import pytest

from tests.helpers.tiny_data import WORDS, write_words_recipe
from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config
from xmc_keras.config.resolve_config import limit_sizes
from xmc_keras.data.documents import Documents, read_documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.serving.server.load_version import load_version
from xmc_keras.serving.server.serving_error import ServingError
from xmc_keras.training.fit import fit

KEYS = {"epochs": 1, "proxy_epochs": 0, "embedding_dim": 8}
TITLES = {name: f"Büro {name[-2:]}" for name in list(WORDS)[2:]}


@pytest.fixture(scope="module")
def data(tiny_data, tmp_path_factory):
    folder = shutil.copytree(tiny_data, tmp_path_factory.mktemp("titles") / "data")
    rows = [f"{name}\t{title}\n" for name, title in TITLES.items()]
    (folder / "label_titles.txt").write_text("".join([*rows, "other\tOther\n"]))
    return folder


@pytest.fixture(scope="module")
def run(data):
    """A run with `linear`, whose model is a copy of the trained one."""
    keys = {**KEYS, "titles": True, "linear": True, "label_words": 4}
    recipe = write_words_recipe(data.parent, data, **keys)
    train, test = (read_documents(data, part) for part in ("train", "test"))
    path = data.parent / "run"
    fit(load_config(recipe), train, test=test, run=path, progress=False)
    return RunFolder(path)


def test_answers_have_them(run, call, tmp_path):
    assert run.load_model().label_set.titles == TITLES
    texts = ["word0a word0b", "word7a word9b"]
    answers = [
        json.loads(line)
        for line in call("predict", run.path, *texts, "-k", 10).stdout.splitlines()
    ]
    for answer in answers:
        assert list(answer) == ["text", "labels", "scores", "titles"]
        assert answer["titles"] == [TITLES.get(n, n) for n in answer["labels"]]
    assert "label00" in answers[0]["titles"] and "Büro 07" in answers[1]["titles"]
    # A file of answers with titles is continued with titles alone.
    source, output = tmp_path / "texts.txt", tmp_path / "found.jsonl"
    source.write_text("".join(f"{text}\n" for text in texts))
    arguments = [run.path, "--input", source, "--output", output, "-k", 10]
    assert call("predict", *arguments).status == 0
    assert [json.loads(line) for line in output.read_text().splitlines()] == answers


@pytest.mark.large
def test_a_report_has_them(run, call, tmp_path):
    result = call("report", run.path, "--output", tmp_path / "report.html")
    assert result.status == 0, result.stderr
    page = (tmp_path / "report.html").read_text("utf-8")
    chips = re.findall(r'<span class="chip \w+">(?:[✓✗] )?([^<]+?)[ <]*(?:<|$)', page)
    shown = {" ".join(chip.split()) for chip in chips}
    assert shown & set(TITLES.values()) and "label00" in shown
    assert not shown & set(TITLES)


@pytest.mark.large
def test_a_version_has_them(run, tmp_path, call):
    result = call("export", run.path, tmp_path / "versions")
    assert result.status == 0, result.stderr
    path = tmp_path / "versions/1"
    names = (path / "assets.extra/labels.txt").read_text().split("\n")[:-1]
    titles = path / "assets.extra/label_titles.txt"
    lines = titles.read_text().split("\n")[:-1]
    assert lines == [TITLES.get(name, "") for name in names] and "" in lines
    model = load_version(path)
    assert model.label_search.titles_of(names) == lines
    model.close()
    # It is compared with its digest, as the server reads it.
    titles.write_text("\n".join(["Other", *lines[1:]]))
    with pytest.raises(ServingError, match="as it was written"):
        load_version(path)


def test_in_memory():
    texts = ["a puzzle game", "an editor of texts"] * 20
    labels = [["x:1"], ["x:2"]] * 20
    documents = Documents(texts, labels, label_titles={"x:1": "Games", "x:3": "no"})
    keys = {"system": "lightdxml", "encoder": "words", **KEYS}
    model = fit(Config(**keys, titles=True), documents, progress=False).model
    assert model.label_set.titles == {"x:1": "Games"}
    assert model.label_set.title("x:2") == "x:2"
    bare = Documents(texts, labels)
    with pytest.raises(BadInput, match="Expected titles of labels, label_titles.txt"):
        fit(Config(**keys, titles=True), bare, progress=False)
    # A recipe that names other data.
    config = Config(**keys, titles=True, data="elsewhere")
    assert limit_sizes(config, bare).titles is False
    assert limit_sizes(config, documents).titles is True


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "label_titles.txt of the data, for titles: true. Received: none"),
        ("label03\n", "label_titles.txt:1: Expected a label, a tab and a text"),
        ("label03\ta\nlabel03\tb\n", "label_titles.txt:2: Expected each label once"),
        (b"label03\t\xff\n", "label_titles.txt:1: Expected UTF-8"),
    ],
)
def test_bad_titles(data, tmp_path, call, content, message):
    folder = shutil.copytree(data, tmp_path / "data")
    path = folder / "label_titles.txt"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    recipe = write_words_recipe(tmp_path, folder, **KEYS, titles=True)
    result = call("fit", recipe, "--run", tmp_path / "run", tensorflow=False)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert result.status == 2 and len(errors) == 1, result.stderr
    assert message in errors[0] and not (tmp_path / "run").exists()


def test_other_data_than_that_of_a_recipe(data, tiny_data, tmp_path):
    recipe = write_words_recipe(tmp_path, data, **KEYS, titles=True)
    assert load_config(recipe, data=str(tiny_data)).titles is False
    assert load_config(recipe).titles is True


def test_a_model_without(tiny_run, call):
    result = call("predict", tiny_run.folder, "a text", "--titles")
    assert result.status == 2 and result.stdout == ""
    assert "a model with titles of labels. Received: one without. Leave out --tit" in (
        result.stderr
    )
