"""SIGKILL at random moments: what is resumed ends as if nothing had happened."""

import collections
import itertools
import lzma
import random
import shutil

import pytest

from tests.helpers.fit_runs import METRICS, history, metrics
from tests.helpers.killed_programs import KilledPrograms
from tests.helpers.project import PROJECT
from tests.helpers.tiny_data import write_tiny_encoder

pytestmark = pytest.mark.large

XML = """
data: {data}
encoder: {encoder}
validation_documents: 40
max_tokens: 24
num_feature_layers: 2
max_leaf: 20
top_k: 4
bottleneck_dim: 8
epochs: 3
batch_size: 16
learning_rate: 0.005
swa_start: 1
swa_every: 3
num_predictions: 20
checkpoint_minutes: 0.002
"""
WORDS = """
system: lightdxml
data: {data}
encoder: words
validation_documents: 40
embedding_dim: 16
epochs: 4
refresh: 2
proxy_epochs: 2
num_neighbors: 20
num_predictions: 20
batch_size: 32
checkpoint_minutes: 0.0005
"""
CONFIGS = {
    "lightxml": XML,
    "static": XML.replace("swa_start: 1", "negatives: static\nrecall_epochs: 1"),
    "lightdxml": WORDS,
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    programs = KilledPrograms(tmp_path_factory.mktemp("log") / "log")
    yield programs
    programs.close()


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    """Folder of 300 and 100 documents of Debian-24K, and an encoder of their words."""
    folder = tmp_path_factory.mktemp("debian")
    for part, count in (("train", 300), ("test", 100)):
        for kind in ("texts", "labels"):
            with lzma.open(PROJECT / f"data/debian24k/{part}_{kind}.txt.xz") as file:
                lines = b"".join(itertools.islice(file, count))
            (folder / f"{part}_{kind}.txt").write_bytes(lines)
    words = (folder / "train_texts.txt").read_text("utf-8").lower().split()
    common = [w for w, _ in collections.Counter(words).most_common(500) if w.isalpha()]
    (folder / "encoder").mkdir()
    write_tiny_encoder(folder / "encoder", common)
    return folder


def configured(debian, tmp_path, kind):
    path = tmp_path / f"{kind}.yaml"
    path.write_text(CONFIGS[kind].format(data=debian, encoder=debian / "encoder"))
    return path


def files(folder):
    paths = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {p for p in paths if "tensorboard" not in p}  # each start has its own events


def moments(operations, seconds, count, seed):
    """Half before a file operation, half at a time; a kind and a number."""
    rng = random.Random(seed)
    return [
        ("at", rng.randint(1, operations))
        if i % 2
        else ("seconds", rng.uniform(0.05, seconds))
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "kind, count", [("lightxml", 20), ("lightdxml", 20), ("static", 8)]
)
def test_fit(programs, debian, tmp_path, kind, count):
    config = configured(debian, tmp_path, kind)
    whole = tmp_path / "whole/run"

    def fit(run, *flags, **moment):
        arguments = ["fit", config, "--run", run, "--skip-bad-lines", *flags]
        return programs.run(*arguments, under=run.parent, **moment)

    status, operations, seconds = fit(whole)
    assert status == 0
    expected, rows = metrics(whole), history(whole)
    killed = again = 0
    for number, (how, value) in enumerate(moments(operations, seconds, count, 1)):
        folder = tmp_path / f"{number}/run"
        status, *_ = fit(folder, **{how: value})
        assert status in (0, -9)
        killed += status == -9
        if number % 4 == 3:  # and in the middle of resuming
            again += fit(folder, "--resume", at=value // 2 + 1)[0] == -9
        status, *_ = fit(folder, "--resume")
        assert status == 0, (how, value)
        found = metrics(folder)
        for key in [*METRICS, "recall@10"]:
            assert found[key] == pytest.approx(expected[key], abs=1e-4), (how, value)
        assert history(folder) == [pytest.approx(r, rel=1e-3, abs=1e-4) for r in rows]
        assert files(folder.parent) == files(whole.parent), (how, value)
        shutil.rmtree(folder.parent)
    print(f"{kind}: {killed} kills of {operations} operations, {again} while resuming")
    assert killed >= count // 2


def test_prepare(programs, tmp_path):
    def prepare(target, *flags, **moment):
        arguments = ["prepare", PROJECT / "data/debian24k", target, *flags]
        keep = {"xmc_keras.data.preparing.prepare_data:KEEP": 5000}
        return programs.run(*arguments, under=target.parent, settings=keep, **moment)

    status, operations, seconds = prepare(tmp_path / "whole/made")
    assert status == 0
    whole = {p.name: p.read_bytes() for p in (tmp_path / "whole/made").iterdir()}
    killed = 0
    for number, (how, value) in enumerate(moments(operations, seconds, 20, 2)):
        target = tmp_path / f"{number}/made"
        status, *_ = prepare(target, **{how: value})
        killed += status == -9
        if status:
            assert prepare(target, "--resume")[0] == 0, (how, value)
        assert {p.name: p.read_bytes() for p in target.iterdir()} == whole
        assert files(target.parent) == files(tmp_path / "whole"), (how, value)
        shutil.rmtree(target.parent)
    print(f"{killed} kills of {operations} operations")
    assert killed >= 15


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_predict(programs, debian, tmp_path, suffix):
    config = configured(debian, tmp_path, "lightdxml")
    run = ["fit", config, "--run", tmp_path / "run", "--skip-bad-lines"]
    assert programs.run(*run, under=tmp_path)[0] == 0

    def predict(output, *flags, **moment):
        arguments = ["predict", tmp_path / "run", "--input", debian / "train_texts.txt"]
        chunk = {"xmc_keras.evaluation.write_answers:CHUNK": 20}
        output.parent.mkdir(exist_ok=True)
        arguments += ["--output", output, *flags]
        return programs.run(*arguments, under=output.parent, settings=chunk, **moment)

    whole = tmp_path / f"whole/found.{suffix}"
    status, operations, seconds = predict(whole)
    assert status == 0
    killed = 0
    for number, (how, value) in enumerate(moments(operations, seconds, 20, 3)):
        output = tmp_path / f"{number}/found.{suffix}"
        status, *_ = predict(output, **{how: value})
        killed += status == -9
        if status:
            assert predict(output, "--resume")[0] == 0, (how, value)
        assert output.read_bytes() == whole.read_bytes()
        assert files(output.parent) == {output.name}, (how, value)
    print(f"{killed} kills of {operations} operations")
    assert killed >= 15


def test_export(programs, debian, tmp_path):
    config = configured(debian, tmp_path, "lightdxml")
    run = ["fit", config, "--run", tmp_path / "run", "--skip-bad-lines"]
    assert programs.run(*run, under=tmp_path)[0] == 0

    def export(folder, **moment):
        return programs.run("export", tmp_path / "run", folder, under=folder, **moment)

    status, operations, seconds = export(tmp_path / "whole")
    assert status == 0
    from tests.faults.test_damaged_exports import answers

    whole, killed = answers(tmp_path / "whole/1"), 0
    for number, (how, value) in enumerate(moments(operations, seconds, 20, 4)):
        folder = tmp_path / f"{number}"
        status, *_ = export(folder, **{how: value})
        killed += status == -9
        if status:
            assert export(folder)[0] == 0
        for version in folder.glob("[0-9]*"):  # of the killed one, too, if it is there
            assert answers(version) == whole, (how, value)
        assert not [*folder.glob(".*")], (how, value)
        shutil.rmtree(folder)
    print(f"{killed} kills of {operations} operations")
    assert killed >= 15
