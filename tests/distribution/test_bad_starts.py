"""Workers that cannot train together say so in one sentence each, with status 2."""

import shutil
import socket

import pytest

from tests.helpers.programs import run_xmc
from tests.helpers.worker_processes import FIT, errors, free_ports, run_workers

pytestmark = pytest.mark.large
DISTRIBUTED = ("--set", "distribute=multi_worker")


def fit(recipe, run, *flags):
    return [*FIT, recipe, "--run", run, *DISTRIBUTED, *flags]


def test_a_config_that_does_not_parse(recipe, tmp_path):
    arguments = fit(recipe, tmp_path / "run")
    (said,) = errors(run_workers(*arguments, count=1, environment={"TF_CONFIG": "{"}))
    assert "Expected TF_CONFIG" in said


def test_a_port_in_use(recipe, tmp_path):
    ports = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))
        taken.listen()
        arguments = fit(recipe, tmp_path / "run")
        (said,) = errors(run_workers(*arguments, count=1, ports=ports))
    assert f"port {ports[0]} to be free" in said


def test_a_worker_that_never_comes(recipe, tmp_path):
    ports = free_ports(3)
    found = errors(
        run_workers(
            *fit(recipe, tmp_path / "run"),
            count=3,
            absent=[2],
            ports=ports,
            environment={"XMC_START_SECONDS": "20"},
        )
    )
    for said in found:
        assert f"no answer of worker 2 (127.0.0.1:{ports[2]})" in said


def test_a_batch_that_is_no_multiple(recipe, tmp_path):
    arguments = fit(recipe, tmp_path / "run", "--set", "batch_size=15")
    for said in errors(run_workers(*arguments)):
        assert "multiple of the 2 replicas" in said and "Received: 15" in said


def test_another_recipe(recipe, tmp_path):
    def arguments(index):
        return fit(recipe, tmp_path / "run", "--set", f"seed={index}")

    for said in errors(run_workers(arguments)):
        assert "another recipe than worker 0's on worker 1" in said


def test_other_data(recipe, tmp_path, data):
    other = tmp_path / "other"
    shutil.copytree(data, other)
    labels = other / "train_labels.txt"
    lines = labels.read_text("utf-8").splitlines(keepends=True)
    labels.write_text("".join(["changed\n", *lines[1:]]), "utf-8")

    def arguments(index):
        return fit(recipe, tmp_path / "run", "--data", [data, other][index])

    for said in errors(run_workers(arguments)):
        assert "another data than worker 0's on worker 1" in said


def test_a_run_that_exists(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/notes.txt").write_text("mine")
    chief, other = errors(run_workers(*fit(recipe, tmp_path / "run")))
    assert "Expected a run folder" in chief
    assert "Received: the end of worker 0" in other
    assert (tmp_path / "run/notes.txt").read_text() == "mine"


def test_no_cluster(recipe, tmp_path):
    done = run_xmc("fit", recipe, "--run", tmp_path / "run", *DISTRIBUTED)
    assert done.returncode == 2 and "xmc launch" in done.stderr


def test_more_workers_than_cores(recipe, tmp_path):
    done = run_xmc("launch", "--workers", "999", recipe)
    assert done.returncode == 2 and "one for each of the cores" in done.stderr
