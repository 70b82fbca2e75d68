"""The machines of a training, as the environment of a process describes them."""

import dataclasses
import json
import os
import re
import shutil
import socket
import time

from xmc_keras.files.bad_input import BadInput

JOBS = ("chief", "worker")  # chief first: it is worker 0
PORT = 8888  # of the first task on a machine, in a SLURM job


def read_number(name, default, environment=None):
    """The number above 0 of a variable of the environment; raises `BadInput`."""
    text = (os.environ if environment is None else environment).get(name)
    try:
        number = default if text is None else float(text)
        if 0 < number < float("inf"):
            return number
    except ValueError:
        pass
    raise BadInput(f"Expected {name} to be a number above 0. Received: {text!r}.")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of a training, as the environment of one of them describes them.

    Args:
        addresses: tuple of strings `host:port`, one per worker; the first is the chief.
        index: int. The place of this process among them.

    Example:

    >>> config = {"cluster": {"worker": ["one:4000", "two:4000"]},
    ...     "task": {"type": "worker", "index": 1}}
    >>> cluster = Cluster.from_environment({"TF_CONFIG": json.dumps(config)})
    >>> cluster.index, cluster.addresses[cluster.index]
    (1, 'two:4000')
    """

    addresses: tuple
    index: int

    @classmethod
    def from_environment(cls, environment=None):
        """Reads TF_CONFIG, as Kubeflow sets it, too, or the variables of a SLURM job.

        Raises:
            BadInput: neither is there, or it does not describe workers.
        """
        environment = os.environ if environment is None else environment
        if "TF_CONFIG" in environment:
            return cls._from_tf_config(environment["TF_CONFIG"])
        if "SLURM_PROCID" in environment:
            return cls._from_slurm(environment)
        raise BadInput(
            "Expected TF_CONFIG, or the variables of a SLURM job, in the environment. "
            "Received: neither.",
            remedy="Set distribute: none or mirrored, or start the workers of one "
            "machine with xmc launch.",
        )

    @classmethod
    def _from_tf_config(cls, text):
        try:
            config = json.loads(text)
            jobs, task = config["cluster"], config["task"]
            kind, index = task["type"], int(task["index"])
            others = set(jobs) - set(JOBS)
            if others:
                raise ValueError(f"the jobs {', '.join(sorted(others))}")
            addresses = [address for job in JOBS for address in jobs.get(job, [])]
            if index < 0 or not jobs[kind][index]:
                raise IndexError(index)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BadInput(
                'Expected TF_CONFIG like {"cluster": {"worker": ["host:port", ...]}, '
                f'"task": {{"type": "worker", "index": 0}}}}. Received: {text[:200]} '
                f"({type(error).__name__}: {error})."
            ) from None
        for address in addresses:
            if not re.fullmatch(r"[^\s:]+:\d{1,5}|\[[^\s\]]+\]:\d{1,5}", str(address)):
                raise BadInput(
                    f"Expected addresses like host:port in TF_CONFIG. Received: "
                    f"{address!r}."
                )
        if len(set(addresses)) < len(addresses):
            raise BadInput(
                "Expected an address of its own for each worker in TF_CONFIG. "
                f"Received: {', '.join(addresses)}."
            )
        before = len(jobs.get("chief", [])) if kind == "worker" else 0
        return cls(tuple(addresses), before + index)

    @classmethod
    def _from_slurm(cls, environment):
        # Imported late: TensorFlow takes seconds to import.
        import tensorflow as tf

        gpus = {}  # looked for by TensorFlow, which gives each task its own
        if shutil.which("nvidia-smi") is None:
            tasks = int(environment.get("SLURM_STEP_NUM_TASKS", 1))
            gpus = {"gpus_per_node": tasks, "gpus_per_task": 1, "auto_set_gpu": False}
        try:
            resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
                port_base=int(read_number("XMC_PORT", PORT, environment)), **gpus
            )
            addresses = resolver.cluster_spec().job_tasks("worker")
        except BadInput:
            raise
        except Exception as error:  # of many types, for variables that are not there
            raise BadInput(
                "Expected the variables of a SLURM job, as srun sets them. Received: "
                f"{type(error).__name__}: {error}."
            ) from None
        return cls(tuple(addresses), int(environment["SLURM_PROCID"]))

    def meet(self, seconds):
        """Waits until every worker has answered at its address once.

        TensorFlow's own waiting cannot be interrupted. Until its server starts, this
        process answers at its address by a plain socket.

        Args:
            seconds: float. How long to wait.

        Raises:
            BadInput: the port of this process is in use, or a worker has not come.
        """
        end = time.monotonic() + seconds
        port = int(self.addresses[self.index].rpartition(":")[2])
        try:
            server = socket.create_server(("", port), backlog=len(self.addresses))
        except OSError as error:
            raise BadInput(
                f"Expected port {port} to be free for worker {self.index}. Received: "
                f"{error.strerror}.",
                remedy="Choose another port in TF_CONFIG, or end the program that uses "
                "it.",
            ) from None
        with server:
            left = self._others
            while left := [index for index in left if not self._answers(index)]:
                if time.monotonic() > end:
                    raise BadInput(
                        f"Expected {len(self.addresses)} workers within {seconds:.0f} "
                        f"seconds. Received: no answer of worker {self._name(left)}.",
                        remedy="Start all of them again, or wait longer with "
                        "XMC_START_SECONDS.",
                    )
                time.sleep(0.2)

    def find_missing(self, seconds=2.0):
        """Workers whose address does not answer, a string like `1 (host:port)`.

        Args:
            seconds: float. How long each is waited for. Defaults to `2`.
        """
        return self._name(
            [index for index in self._others if not self._answers(index, seconds)]
        )

    @property
    def _others(self):
        return [i for i in range(len(self.addresses)) if i != self.index]

    def _name(self, workers):
        return ", ".join(f"{index} ({self.addresses[index]})" for index in workers)

    def _answers(self, index, seconds=2.0):
        host, _, port = self.addresses[index].rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), seconds).close()
        except OSError:
            return False
        return True
