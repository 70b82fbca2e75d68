"""Two real programs on one run at once: one trains, the other is refused."""

import os
import signal
import time

import pytest

from tests.helpers.fit_runs import METRICS, metrics
from tests.helpers.programs import start

pytestmark = pytest.mark.large


def assert_refused(process, others, run):
    stderr = process.communicate()[1].decode()
    assert process.returncode == 2, stderr
    (error,) = [li for li in stderr.splitlines() if li.startswith("error: ")]
    assert str(run) in error and "Traceback" not in stderr
    assert any(f"process {other.pid} on " in error for other in others), error


def assert_same_metrics(run, undisturbed):
    ours, theirs = metrics(run), metrics(undisturbed)
    for key in METRICS:
        assert ours[key] == pytest.approx(theirs[key], abs=1e-4)


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.02)


def test_two_are_started_and_a_third_overwrites(tiny_run, tiny_config, tmp_path):
    run = tmp_path / "runs/x"
    (tmp_path / "link").symlink_to(run, target_is_directory=True)
    both = [start("fit", tiny_config, "--run", name) for name in (run, f"{run}/.")]
    while all(process.poll() is None for process in both):
        time.sleep(0.05)
    (first,) = [process for process in both if process.poll() is None]
    (second,) = [process for process in both if process is not first]
    assert_refused(second, [first], run)
    # By another name, while it is trained.
    wait_for(run / "config.yaml", first)
    overwriting = start("fit", tiny_config, "--run", tmp_path / "link", "--overwrite")
    assert_refused(overwriting, [first], tmp_path / "link")
    resuming = start("fit", tiny_config, "--run", run, "--resume")
    assert_refused(resuming, [first], run)
    stderr = first.communicate()[1].decode()
    assert first.returncode == 0, stderr
    assert_same_metrics(run, tiny_run.folder)
    assert sorted(os.listdir(run.parent)) == ["cache", "x"]


def test_two_resume_a_run_whose_program_was_killed(tiny_run, tiny_config, tmp_path):
    run = tmp_path / "x"
    arguments = ["fit", tiny_config, "--run", run]
    killed = start(*arguments, "--set", "checkpoint_minutes=0.00001")
    wait_for(run / "checkpoint/progress.json", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (tmp_path / ".x.lock").exists()
    arguments += ["--set", "checkpoint_minutes=0.00001", "--resume"]
    both = [start(*arguments) for _ in range(2)]
    while all(process.poll() is None for process in both):
        time.sleep(0.05)
    (first,) = [process for process in both if process.poll() is None]
    (second,) = [process for process in both if process is not first]
    assert_refused(second, [first], run)
    assert first.wait() == 0, first.communicate()[1].decode()
    first.communicate()
    assert_same_metrics(run, tiny_run.folder)
    assert sorted(os.listdir(tmp_path)) == ["cache", "x"]
    again = start(*arguments)
    stderr = again.communicate()[1].decode()
    assert again.returncode == 0 and "This run is finished" in stderr
