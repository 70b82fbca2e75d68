import pytest

from xmc_keras.config.config import Config
from xmc_keras.data.documents import Documents
from xmc_keras.files.bad_input import BadInput
from xmc_keras.labels.label_set import LabelSet
from xmc_keras.runs.finished_runs import name_runs, open_finished_runs, read_metrics
from xmc_keras.runs.run_folder import RunFolder


@pytest.fixture
def make(tmp_path):
    def make(name, labels="xy", text="a text", finished=True):
        run = RunFolder(tmp_path / name)
        config = Config(data="none", encoder="none")
        documents = Documents([text], [list(labels)], [1], "t", "l")
        run.begin(config, LabelSet(labels), None, documents)
        if finished:
            run.save_metrics({"P@1": 50.0})
        return run.path

    return make


def message(*paths, least=1):
    with pytest.raises(BadInput) as error:
        open_finished_runs(paths, least)
    return str(error.value)


def test_runs_of_one_data_set(make):
    runs = open_finished_runs([make("a"), make("b")], least=2)
    assert name_runs(runs) == ["a", "b"]
    assert read_metrics(runs[0]) == {"P@1": 50.0}


def test_folders_of_one_name_are_distinguished(make):
    runs = open_finished_runs([make("one/run"), make("two/run")])
    assert name_runs(runs) == [str(run.path) for run in runs]


def test_runs_that_cannot_be_compared(make, tmp_path):
    first = make("first")
    assert message(first, least=2) == "Expected at least 2 runs. Received: 1."
    assert "Expected each run once" in message(first, first)
    assert "with config.yaml in it" in message(first, tmp_path / "none")
    assert "Expected a finished run" in message(first, make("open", finished=False))
    assert "Received: 3, not 2." in message(first, make("more", "xyz"))
    assert "Received: other labels." in message(first, make("others", "xz"))
    assert "same training part as" in message(first, make("texts", text="b"))


def test_damaged_metrics(make):
    path = make("run")
    (path / "metrics.json").write_text("{")
    assert "Expected the metrics of a finished run" in message(path)
    (path / "metrics.json").write_text("{}")
    with pytest.raises(BadInput, match="KeyError"):
        read_metrics(RunFolder(path), ["P@1"])
