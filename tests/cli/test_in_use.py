"""Commands whose output another process is writing: refused before anything is read."""

import pytest

from tests.helpers.lock_holder import another_process_writes
from tests.helpers.made_run import make_run
from tests.helpers.programs import start


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_config):
    return make_run(tmp_path_factory.mktemp("runs") / "made", tiny_config, 1)


def assert_refused(call, locked, *arguments):
    with another_process_writes(locked) as process:
        result = call(*arguments, tensorflow=False)
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert f"Received: one that process {process.pid} on " in result.stderr
    assert "Let that program end, or stop it, or choose another " in result.stderr
    return result.stderr


def test_fit(call, tiny_config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "runs").symlink_to("real")
    # No data: the lock comes first.
    arguments = ["fit", tiny_config, "--set", "data=none", "--run", "runs/x/"]
    for flag in ([], ["--resume"], ["--overwrite"]):
        text = assert_refused(call, tmp_path / "real/x", *arguments, *flag)
        assert text.startswith("error: runs/x: ")
    assert text.endswith("or choose another with --run.\n")
    result = call(*arguments, tensorflow=False)
    assert "train_texts.txt" in result.stderr and "process" not in result.stderr
    assert not list((tmp_path / "real").iterdir())


def test_sweep(call, tiny_config, tmp_path):
    text = assert_refused(
        call, tmp_path / "s", "sweep", tiny_config, "--runs", tmp_path / "s"
    )
    assert "choose another with --runs." in text


def test_prepare(call, tiny_data, tmp_path):
    for flag in ([], ["--resume"], ["--overwrite"]):
        text = assert_refused(
            call, tmp_path / "out", "prepare", tiny_data, tmp_path / "out", *flag
        )
        assert "or choose another target." in text
    assert not list(tmp_path.iterdir())


def test_ensemble_and_report(call, run, tmp_path, tiny_config):
    other = make_run(tmp_path / "other", tiny_config, 2)
    for name, output in (("ensemble", "e"), ("report", "r.html")):
        output = tmp_path / output
        runs = [run.path, other.path]
        text = assert_refused(call, output, name, *runs, "--output", output)
        assert "or choose another with --output." in text
        assert not output.exists()


def test_export_of_a_version(call, run, tmp_path):
    text = assert_refused(
        call, tmp_path / "e/7", "export", run.path, tmp_path / "e", "--version", 7
    )
    assert "or choose another folder." in text
    assert not list(tmp_path.iterdir())


@pytest.mark.large
def test_two_exports_at_once_become_two_versions(run, tmp_path):
    processes = [start("../export/saved_model", run.path, tmp_path) for _ in range(2)]
    for process in processes:
        assert process.wait() == 0, process.communicate()[1].decode()
        process.communicate()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]
    for version in ("1", "2"):
        assert (tmp_path / version / "saved_model.pb").exists()
