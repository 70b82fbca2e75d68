"""Every program on a disk that is full sooner or later, and then has space again."""

import json
import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.helpers.fit_runs import METRICS, metrics
from tests.helpers.full_disk import small_disk
from tests.helpers.project import PROJECT


def grow(call, disk, sizes, name, *arguments, again=()):
    """Runs a command on disks of growing size until it ends well.

    Each failure has to end with status 2 and one sentence that names a place on the
    disk and says what to do; no model is harmed, and nothing half-written stays.

    Returns:
        The sentences.
    """
    said = []
    for size in sizes:
        disk.resize(size)
        result = call(name, *arguments, *(again if said else ()))
        if result.status == 0:
            return said
        lines = [x for x in result.stderr.splitlines() if x.startswith("error: ")]
        assert result.status == 2 and len(lines) == 1, result.stderr
        assert "Traceback" not in result.stderr and "ignored" not in result.stderr
        assert f"{disk.path}" in lines[0] and "ree disk space" in lines[0], lines
        said.append(lines[0].replace(str(disk.path), ""))
        for path in disk.path.rglob("*"):
            assert not path.name.endswith(".part") or again, path
            assert ".tmp" not in path.name, path
            if path.suffix in (".keras", ".npz"):
                assert zipfile.ZipFile(path).testzip() is None
    raise AssertionError(f"{name} does not fit {sizes[-1]} kB: {said[-1]}")


def places(said):
    return {sentence.split(": ")[1] for sentence in said}


def assert_same_metrics(folder, other):
    ours, theirs = metrics(folder), metrics(other)
    for key in [*METRICS, "recall@10"]:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)


def fit_on(call, disk, config, sizes):
    return grow(call, disk, sizes, "fit", config, "--run", disk.path / "r", "--resume")


@pytest.mark.large
def test_fit(call, words_config, tmp_path):
    assert call("fit", words_config, "--run", tmp_path / "whole").status == 0
    with small_disk(tmp_path / "disk") as disk:
        said = fit_on(call, disk, words_config, [4, 60, 180, 2000])
        assert len(said) >= 2 and all("--resume" in sentence for sentence in said)
        assert_same_metrics(disk.path / "r", tmp_path / "whole")


@pytest.mark.large
def test_fit_on_disks_of_all_sizes(call, words_config, tmp_path):
    assert call("fit", words_config, "--run", tmp_path / "whole").status == 0
    with small_disk(tmp_path / "disk") as disk:
        said = fit_on(call, disk, words_config, range(4, 2000, 8))
        assert_same_metrics(disk.path / "r", tmp_path / "whole")
    expected = {"/r", "/r/checkpoint", "/r/best.keras", "/r/curves.png"}
    assert expected <= places(said), places(said)


@pytest.mark.large
def test_fit_lightxml_on_disks_of_all_sizes(call, tiny_run, tiny_config, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        said = fit_on(call, disk, tiny_config, range(4, 3000, 108))
        assert_same_metrics(disk.path / "r", tiny_run.folder)
    # Which of the others is the first that does not fit depends on the sizes.
    assert "/cache" in places(said) and len(places(said)) > 1, places(said)


@pytest.mark.large
def test_static_negatives_on_disks_of_all_sizes(call, tiny_config, tmp_path):
    settings = ["--set", "negatives=static", "--set", "recall_epochs=1"]
    settings += ["--set", "swa_start=null"]
    whole = tmp_path / "whole"
    assert call("fit", tiny_config, "--run", whole, *settings).status == 0
    with small_disk(tmp_path / "disk") as disk:
        run = ["fit", tiny_config, "--run", disk.path / "r", "--resume", *settings]
        said = grow(call, disk, range(40, 4000, 120), *run)
        assert_same_metrics(disk.path / "r", whole)
    assert {"/r/checkpoint", "/r/recall.npz"} & places(said)


def test_prepare(call, tmp_path):
    rows = [f"word{i % 97} text {i},label{i % 7}" for i in range(3000)]
    source = tmp_path / "source.csv"
    source.write_text("\n".join(["text,labels", *rows]) + "\n")
    assert call("prepare", source, tmp_path / "whole").status == 0
    with small_disk(tmp_path / "disk") as disk:
        target = disk.path / "made"
        run = ["prepare", source, target]
        said = grow(call, disk, range(4, 1000, 12), *run, again=["--resume"])
        assert len(said) > 3
        for path in (tmp_path / "whole").iterdir():
            assert (target / path.name).read_bytes() == path.read_bytes()
        assert [path.name for path in disk.path.iterdir()] == ["made"]


@pytest.mark.large
def test_predict(call, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("xmc_keras.evaluation.write_answers.CHUNK", 40)
    texts, whole = tmp_path / "texts.txt", tmp_path / "whole.jsonl"
    texts.write_text("".join(f"word{i % 20}a word{i % 7}b\n" for i in range(400)))
    run = ["predict", tiny_run.folder, "--input", texts, "--output"]
    assert call(*run, whole).status == 0
    with small_disk(tmp_path / "disk") as disk:
        output = disk.path / "found.jsonl"
        said = grow(call, disk, range(4, 1000, 24), *run, output, again=["--resume"])
        assert len(said) > 2 and output.read_bytes() == whole.read_bytes()
        assert [path.name for path in disk.path.iterdir()] == ["found.jsonl"]


@pytest.mark.large
def test_what_is_written_of_finished_runs(call, tiny_run, words_config, tmp_path):
    copy = tmp_path / "copy"
    assert call("fit", words_config, "--run", tmp_path / "words").status == 0
    shutil.copytree(tiny_run.folder, copy)
    for i, (name, *arguments) in enumerate(
        (
            ["report", copy, "--output", "{}/report.html"],
            ["ensemble", copy, tmp_path / "words", "--output", "{}/both"],
            ["export", copy, "{}/exports"],
            ["export", tmp_path / "words", "{}/words"],
        )
    ):
        with small_disk(tmp_path / f"disk{i}") as disk:
            arguments = [str(argument).format(disk.path) for argument in arguments]
            said = grow(call, disk, range(4, 4000, 200), name, *arguments)
            assert said, name


@pytest.mark.large
def test_sweep(call, words_config, tmp_path):
    with small_disk(tmp_path / "disk", 100) as disk:
        run = ["sweep", words_config, "--seeds", 1, "--runs", disk.path / "runs"]
        result = call(*run)
        # A failed run is reported, and the sweep goes on; its table does not fit.
        assert result.status in (1, 2) and "Traceback" not in result.stderr
        assert "No space left on device. Free disk space" in result.stderr
        disk.resize(4000)
        result = call(*run)
        assert result.status == 0, result.stderr
        rows = json.loads((disk.path / "runs/sweep.json").read_text())["rows"]
        assert rows[0]["P@1"]["mean"] is not None


@pytest.mark.parametrize(
    "arguments, buffered",
    [
        (["predict", "sea"], ""),
        pytest.param(["predict", "sea"], "1", marks=pytest.mark.large),
        ([], ""),
        ([], "1"),
    ],
)
def test_standard_output_on_a_full_disk(tiny_run, arguments, buffered):
    command = [sys.executable, "-m", "xmc_keras.cli.program"]
    if arguments:
        command += [arguments[0], tiny_run.folder, *arguments[1:]]
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            command,
            cwd=PROJECT,
            env={"PYTHONUNBUFFERED": buffered, "PYTHONPATH": str(PROJECT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    last = ended.stderr.splitlines()[-1]
    assert ended.returncode == 2, ended.stderr
    assert last.startswith("error: standard output: Expected to write here. Received: ")
    assert "Traceback" not in ended.stderr and "ignored" not in ended.stderr
