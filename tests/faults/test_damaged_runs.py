"""Every file of a run, damaged: an error with path and remedy, or right results."""

import json
import re
import shutil

import numpy as np
import pytest

from tests.helpers.damaged import damaged, damages
from tests.helpers.fit_runs import METRICS, Killed, metrics
from xmc_keras.config.config_file import load_config
from xmc_keras.files.bad_input import BadInput
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.run_checkpoint import RunCheckpoint
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.runs.run_history import read_history
from xmc_keras.training.loops.train_lightdxml import load_shortlist
from xmc_keras.training.phase_seconds import PhaseSeconds

REMEDY = r"Restore|Train|train|Start|remove|Remove|Make|Free|again|Continue|Choose"


def check_error(text, folder):
    """A sentence that names a place in the folder and says what to do."""
    assert str(folder) in text and re.search("Expected.*Received|Unknown", text), text
    assert re.search(REMEDY, text), text
    assert "Traceback" not in text and "\n" not in text.strip(), text


def flat(value):
    """Anything as something that can be compared."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tolist()
    if isinstance(value, (tuple, list)):
        return [flat(item) for item in value]
    return value


# What reads a run folder without TensorFlow's graph.
READERS = {
    "config": lambda run: run.config(),
    "label names": lambda run: run.label_set().names,
    "clusters": lambda run: run.clusters(),
    "label counts": lambda run: run.label_counts(),
    "digest of the data": lambda run: run.digest(),
    "features": lambda run: run.num_features(),
    "metrics": lambda run: read_metrics(run),
    "history": lambda run: read_history(run.history_path),
    "phases": lambda run: PhaseSeconds(run.phases_path).seconds,
    "shortlist": lambda run: np.array(load_shortlist(run.path / "shortlist-0.npy")),
    "static negatives": lambda run: run.cluster_ids(),
}
# Their files may be missing: then there is nothing to read.
MAY_BE_MISSING = {"history.csv": [], "phases.json": {}}


@pytest.fixture
def run(tiny_run, tmp_path):
    """A finished run with what an unfinished one has, too."""
    shutil.copytree(tiny_run.folder, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    PhaseSeconds(run.phases_path).add("search", 2.5)
    from xmc_keras.files.digests import write_checked

    for name in ("shortlist-0.npy", "cluster_ids.npy"):
        with write_checked(run.path / name) as file:
            np.save(file, np.arange(60, dtype="int32").reshape(20, 3))
    return run


def test_readers(run):
    whole = {name: flat(read(run)) for name, read in READERS.items()}
    errors = 0
    for path in sorted(path for path in run.path.iterdir() if path.is_file()):
        if path.suffix == ".keras":
            continue  # in `test_models`
        for name, content in damages(path.read_bytes(), places=12):
            with damaged(path, name, content):
                found = 0
                for reader, read in READERS.items():
                    try:
                        result = flat(read(run))
                    except BadInput as error:
                        check_error(str(error), run.path)
                        found += 1
                        continue
                    allowed = [whole[reader]]
                    if name == "missing" and path.name in MAY_BE_MISSING:
                        allowed.append(MAY_BE_MISSING[path.name])
                    assert result in allowed, (path, name, reader)
            errors += found
            unread = path.name in ("curves.png", *MAY_BE_MISSING)
            unread = unread or (path.suffix == ".npz" and "byte" in name)
            unread = unread or path.name == "digests.json"
            assert found or unread, (path, name)
    assert errors > 150


def test_models(run):
    texts = ["word1a word1b", "word7c word8b word9a"]
    whole = run.load_model().recommend(texts, 5)
    path = run.path / "best.keras"
    for name, content in damages(path.read_bytes(), places=6):
        with damaged(path, name, content):
            with pytest.raises(BadInput) as error:
                assert run.load_model().recommend(texts, 5) == whole, name
                raise BadInput("Expected. Received. Restore", path)  # right results
            check_error(str(error.value), run.path)


def test_checkpoint(tmp_path):
    import keras

    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.fit(np.ones([4, 3]), np.ones([4, 2]), verbose=0)
    checkpoint = RunCheckpoint(tmp_path / "checkpoint")
    checkpoint.set_model(model)
    checkpoint.epoch, checkpoint.step = 3, 14
    checkpoint.save()

    def restore():
        checkpoint = RunCheckpoint(tmp_path / "checkpoint")
        assert checkpoint.restore(model)
        state = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
        return flat([checkpoint.epoch, checkpoint.step, checkpoint.seconds, *state])

    whole, errors = restore(), 0
    for path in sorted((tmp_path / "checkpoint").iterdir()):
        for name, content in damages(path.read_bytes(), places=150):
            with damaged(path, name, content):
                try:
                    assert restore() == whole, (path, name)
                except BadInput as error:
                    check_error(str(error), tmp_path)
                    errors += 1
    assert errors > 300


def run_clean(call, folder, *arguments):
    """The result of a command, or None after a clean error about the folder."""
    result = call(*arguments)
    if result.status == 0:
        return result
    assert result.status == 2, result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    (line,) = [x for x in result.stderr.splitlines() if x.startswith("error: ")]
    check_error(line, folder)
    return None


def answer(call, run, folder):
    """What each program answers about a run, by name; None after a clean error."""

    def evaluate():
        result = run_clean(call, folder, "evaluate", run.path, "--json")
        if result is None:
            return None
        found = json.loads(result.stdout)
        return {key: found[key] for key in [*METRICS, "recall@10"]}

    def predict():
        result = run_clean(call, folder, "predict", run.path, "word1a word2b")
        return result and result.stdout

    def report():
        page = folder / "page.html"
        arguments = ["report", run.path, "--output", page, "--overwrite"]
        return run_clean(call, folder, *arguments) and page.read_bytes()

    return {"evaluate": evaluate, "predict": predict, "report": report}


@pytest.mark.large
def test_programs(run, tmp_path, call):
    programs = answer(call, run, tmp_path)
    whole = {name: program() for name, program in programs.items()}
    count = errors = 0
    for path in sorted(path for path in run.path.iterdir() if path.is_file()):
        if path.name in ("curves.png", "averaged.keras", "cluster_ids.npy"):
            continue
        for damage, content in damages(path.read_bytes(), places=2):
            with damaged(path, damage, content):
                for name, program in programs.items():
                    if (path.name, damage, name) == (
                        "history.csv",
                        "missing",
                        "report",
                    ):
                        continue  # a report without curves
                    found = program()
                    count, errors = count + 1, errors + (found is None)
                    assert found in (None, whole[name]), (path, damage, name)
    print(f"{count} calls, {errors} clean errors, the others with the same results")
    assert errors > 60


@pytest.mark.large
@pytest.mark.parametrize("kind", ["lightxml", "lightdxml"])
def test_resume(tiny_config, words_config, tmp_path, call, monkeypatch, kind):
    config = tiny_config if kind == "lightxml" else words_config
    arguments = ["fit", config, "--run", tmp_path / "runs/a"]
    assert call("fit", config, "--run", tmp_path / "whole").status == 0
    saves, save = [], RunCheckpoint.save

    def save_and_die(checkpoint):
        save(checkpoint)
        saves.append(1)
        if len(saves) == 2:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(RunCheckpoint, "save", save_and_die)
        with pytest.raises(Killed):
            call(*arguments)
    shutil.copytree(tmp_path / "runs", tmp_path / "kept")
    names = [p.relative_to(tmp_path / "kept") for p in (tmp_path / "kept").rglob("*")]
    count = errors = 0
    for name in sorted(names):
        if "tensorboard" in name.parts or (tmp_path / "kept" / name).is_dir():
            continue
        whole = (tmp_path / "kept" / name).read_bytes()
        for damage, content in damages(whole, places=1):
            shutil.rmtree(tmp_path / "runs")
            shutil.copytree(tmp_path / "kept", tmp_path / "runs")
            with damaged(tmp_path / "runs" / name, damage, content):
                result = run_clean(call, tmp_path, *arguments, "--resume")
                count, errors = count + 1, errors + (result is None)
                if result is not None:
                    ours, theirs = map(
                        metrics, (tmp_path / "runs/a", tmp_path / "whole")
                    )
                    for key in [*METRICS, "recall@10"]:
                        assert ours[key] == pytest.approx(theirs[key], abs=1e-4), (
                            name,
                            damage,
                        )
    print(f"{count} resumed, {errors} clean errors, the others with the same metrics")
    assert load_config(config) and errors > 10
