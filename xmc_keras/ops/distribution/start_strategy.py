"""Starting the strategy that a config names."""

import contextlib
import os
import subprocess
import sys

from xmc_keras.files.bad_input import BadInput
from xmc_keras.ops.distribution.cluster import Cluster, read_number
from xmc_keras.ops.distribution.lost_workers import leave_last

WAIT = 300.0  # seconds until all workers must have come
CONNECT = 45  # and then have connected

_started = {}  # TensorFlow starts one set of workers in a process, before anything else


def start_strategy(distribute, replicas=None, seconds=None):
    """Starts the `tf.distribute` strategy of a config, or returns it if it is started.

    Args:
        distribute: `"none"`; `"mirrored"`, a replica for each GPU of this machine, or
            for each of `replicas` virtual devices of its CPU; or `"multi_worker"`, for
            processes that `Cluster.from_environment` finds, with a replica for each of
            their GPUs.
        replicas: optional int. With `"mirrored"`, the number of devices; by default all
            GPUs, or two virtual devices of a CPU.
        seconds: optional float. How long workers are waited for; by default
            XMC_START_SECONDS of the environment, or `300`.

    Returns:
        A `tf.distribute.Strategy`, or None for `"none"`.

    Raises:
        BadInput: the environment describes no cluster, a port is in use, a worker does
            not come, TensorFlow is in use already, or there are too few devices.

    If a worker ends while all connect, the others are killed after 45 seconds, with a
    sentence: nothing else can interrupt TensorFlow's waiting.
    """
    if distribute == "none":
        return None
    key = distribute, replicas
    if key not in _started:
        if distribute == "mirrored":
            _started[key] = _start_mirrored(replicas)
        else:
            wait = seconds or read_number("XMC_START_SECONDS", WAIT)
            _started[key] = _start_workers(wait)
    return _started[key]


def _start_mirrored(replicas):
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        count = replicas or len(gpus)
        if count > len(gpus):
            raise BadInput(
                f"Expected at most {len(gpus)} replicas, one for each GPU. Received: "
                f"replicas: {count}."
            )
        names = [f"/gpu:{i}" for i in range(count)]
    else:
        count = replicas or 2
        (cpu,) = tf.config.list_physical_devices("CPU")
        with contextlib.suppress(RuntimeError):  # TensorFlow is in use: look below
            tf.config.set_logical_device_configuration(
                cpu, count * [tf.config.LogicalDeviceConfiguration()]
            )
        found = len(tf.config.list_logical_devices("CPU"))
        if found < count:
            raise BadInput(
                f"Expected {count} virtual devices of the CPU for distribute: "
                f"mirrored. Received: {found}, which a program that already uses "
                "TensorFlow cannot change.",
                remedy="Train in a process of its own, for example with xmc fit.",
            )
        names = [f"/cpu:{i}" for i in range(count)]
    return tf.distribute.MirroredStrategy(names)


def _start_workers(seconds):
    cluster = Cluster.from_environment()
    # Before they meet: what follows then takes all of them the same time.
    import tensorflow as tf

    from xmc_keras.ops.log_level import apply_log_level

    apply_log_level()
    cluster.meet(seconds)
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    # Workers find each other by the resolver.
    config = os.environ.pop("TF_CONFIG", None)
    try:
        with _end_after(CONNECT):
            strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
            _broadcast_bfloat16(strategy)
            # The first exchange waits for all.
            make = strategy.experimental_distribute_values_from_function
            strategy.reduce("SUM", make(lambda _: tf.constant(1.0)), axis=None)
    except tf.errors.OpError as error:
        raise BadInput(
            f"Expected {len(cluster.addresses)} workers to start. Received: "
            f"{' '.join(str(error.message).split())[:200]}",
            remedy="Start all of them again.",
        ) from None
    except RuntimeError as error:
        raise BadInput(
            "Expected distribute: multi_worker before TensorFlow is used. Received: "
            f"{' '.join(str(error).split())[:200]}",
            remedy="Train first, or in a process of its own.",
        ) from None
    finally:
        if config is not None:
            os.environ["TF_CONFIG"] = config
    strategy.cluster = cluster
    leave_last(cluster)
    return strategy


def _broadcast_bfloat16(strategy):
    """Makes bfloat16 variables possible: workers exchange initial values in float32.

    TensorFlow 2.20 cannot broadcast bfloat16.
    """
    import tensorflow as tf

    make_initializer = strategy.extended._get_variable_creator_initial_value

    def make(replica_id, device, primary_var, initial_value, dtype=None, **kwargs):
        given = {"initial_value": initial_value, "dtype": dtype, **kwargs}
        if dtype != tf.bfloat16 or replica_id:
            return make_initializer(replica_id, device, primary_var, **given)

        def widened():
            value = initial_value() if callable(initial_value) else initial_value
            return tf.cast(value, tf.float32)

        given |= {"initial_value": widened, "dtype": tf.float32}
        initializer = make_initializer(replica_id, device, primary_var, **given)
        return lambda: tf.cast(initializer(), tf.bfloat16)

    strategy.extended._get_variable_creator_initial_value = make


@contextlib.contextmanager
def _end_after(seconds):
    """Context manager that ends the process if it is not left in time.

    By another process: where TensorFlow waits for a worker that has ended meanwhile,
    nothing runs in this one.
    """
    message = (
        f"error: Expected all workers to connect within {seconds} seconds. Received: "
        "one that has ended. Start all of them again.\n"
    )
    code = "import os, sys, time; parent = os.getppid(); time.sleep(int(sys.argv[1])); "
    code += "parent == os.getppid() and (sys.stderr.write(sys.argv[2]), "
    code += "os.kill(parent, 9))"
    command = [sys.executable, "-S", "-c", code, str(seconds), message]
    watch = subprocess.Popen(command)
    try:
        yield
    finally:
        watch.kill()
        watch.wait()
