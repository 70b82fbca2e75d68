"""Clusters as the environment describes them."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.worker_processes import cluster_of, free_ports
from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.distribution.cluster import Cluster, read_number


def environment(cluster, kind="worker", index=0):
    config = {"cluster": cluster, "task": {"type": kind, "index": index}}
    return {"TF_CONFIG": json.dumps(config)}


@given(chiefs=st.integers(0, 1), workers=st.integers(0, 5), data=st.data())
def test_the_chief_comes_first(chiefs, workers, data):
    if chiefs + workers == 0:
        return
    cluster = {
        "worker": [f"w{i}:1" for i in range(workers)],
        "chief": [f"c{i}:1" for i in range(chiefs)],
    }
    kinds = [("chief", i) for i in range(chiefs)]
    kinds += [("worker", i) for i in range(workers)]
    kind, index = data.draw(st.sampled_from(kinds))
    found = Cluster.from_environment(environment(cluster, kind, index))
    assert found.addresses == (*cluster["chief"], *cluster["worker"])
    assert found.addresses[found.index] == cluster[kind][index]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"cluster": {}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": [7]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", '
        '"index": 0}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", '
        '"index": 0}}',
    ],
)
def test_a_config_that_describes_no_workers(text):
    with pytest.raises(BadInput, match="TF_CONFIG"):
        Cluster.from_environment({"TF_CONFIG": text})


@given(st.text(max_size=30) | st.recursive(st.none() | st.integers(), st.lists))
def test_any_other_config(value):
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(BadInput, match="TF_CONFIG"):
        Cluster.from_environment({"TF_CONFIG": text})


def test_no_cluster():
    with pytest.raises(BadInput, match="xmc launch"):
        Cluster.from_environment({})


@pytest.mark.parametrize("text", ["soon", "", "0", "-1", "inf", "nan"])
def test_a_variable_that_is_no_number(text):
    with pytest.raises(BadInput, match="XMC_START_SECONDS to be a number above 0"):
        read_number("XMC_START_SECONDS", 300, {"XMC_START_SECONDS": text})


@pytest.mark.large  # imports TensorFlow
def test_a_slurm_job():
    environ = {
        "SLURM_PROCID": "2",
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_STEP_NODELIST": "n[01-02]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        found = Cluster.from_environment()
    assert found.index == 2
    assert found.addresses == ("n01:8888", "n01:8889", "n02:8888", "n02:8889")


def test_a_port_in_use():
    (port,) = free_ports(1)
    cluster = Cluster(tuple(cluster_of([port])["worker"]), 0)
    cluster.meet(0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(BadInput, match=f"port {port} .*in use"):
            cluster.meet(0)


def test_workers_that_do_not_answer():
    ports = free_ports(3)
    with socket.socket() as there:
        there.bind(("127.0.0.1", ports[1]))
        there.listen()
        cluster = Cluster(tuple(cluster_of(ports)["worker"]), 0)
        assert cluster.find_missing() == f"2 (127.0.0.1:{ports[2]})"
        with pytest.raises(BadInput, match=f"no answer of worker 2 .127.*{ports[2]}"):
            cluster.meet(0.1)


def test_workers_meet_in_any_order():
    ports, met = free_ports(3), threading.Barrier(3)
    addresses = tuple(cluster_of(ports)["worker"])

    def start(index):
        time.sleep(0.3 * index)
        Cluster(addresses, index).meet(20)
        # As TensorFlow's server, which starts a while later.
        with socket.create_server(("127.0.0.1", ports[index])):
            met.wait(20)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(start, [2, 0, 1]))
