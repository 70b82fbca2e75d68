"""The processes that train one model together, seen from one of them."""

import contextlib
import json

import numpy as np

from xmc_keras.files.bad_input import BadInput

PART = 2**24  # numbers that are exchanged at a time


class Workers:
    """The processes that train one model together, seen from one of them.

    All of them have to call the methods that exchange something, in the same order.
    Without a strategy, or with one of a single process, there is one worker and
    nothing is exchanged.

    Args:
        strategy: optional `tf.distribute.Strategy`, such as
            `model.distribute_strategy`.

    Attributes:
        count: int. Number of processes.
        index: int. The place of this process among them.

    Example:

    >>> workers = Workers()
    >>> workers.count, workers.is_chief, workers.broadcast({"seed": np.array([1, 2])})
    (1, True, {'seed': array([1, 2])})
    """

    def __init__(self, strategy=None):
        self.strategy = strategy
        self.count, self.index = 1, 0
        resolver = None if strategy is None else strategy.cluster_resolver
        if resolver is not None and resolver.cluster_spec().as_dict():
            self.count = resolver.cluster_spec().num_tasks("worker")
            self.index = resolver.task_id

    @classmethod
    def of(cls, model):
        """The workers that train a model, or one for a model that is None."""
        return cls(None if model is None else model.distribute_strategy)

    @property
    def is_chief(self):
        """Whether this is the process that writes the files of a run, a bool."""
        return self.index == 0

    def scope(self):
        """The context manager in which models of all workers are made."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()

    def sum(self, array):
        """The sum of a NumPy array over all workers; int32 or a float dtype."""
        if self.count == 1:
            return array
        total = np.empty_like(array)
        source, target = array.reshape(-1), total.reshape(-1)
        for start in range(0, source.size, PART):
            part = source[start : start + PART]
            target[start : start + PART] = self._sum(part)
        return total

    def _sum(self, part):
        # Imported late: TensorFlow takes seconds to import.
        import tensorflow as tf

        def of_replica(context):
            # A worker has a replica for each of its devices.
            own = context.replica_id_in_sync_group % self._local_replicas == 0
            return tf.constant(part if own else np.zeros_like(part))

        make = self.strategy.experimental_distribute_values_from_function
        return self.strategy.reduce("SUM", make(of_replica), axis=None).numpy()

    @property
    def _local_replicas(self):
        return self.strategy.num_replicas_in_sync // self.count

    def any(self, flag):
        """Whether a flag is true on any worker, a bool."""
        return bool(self.sum(np.array([flag], np.int32))[0])

    def wait(self):
        """Waits until all workers are here."""
        self.any(False)

    @contextlib.contextmanager
    def chief_first(self):
        """Context manager that the others enter when the chief has left it."""
        if not self.is_chief:
            self.wait()
        yield
        if self.is_chief:
            self.wait()

    def broadcast(self, value):
        """The chief's value, on every worker.

        Args:
            value: NumPy array, None, or what JSON can hold of these: lists, and
                dictionaries with strings as keys. Other workers may give anything.
        """
        if self.count == 1:
            return value
        arrays = []
        header = json.dumps(_pack(value, arrays)) if self.is_chief else ""
        header = json.loads(self._broadcast_bytes(header.encode()).decode())
        arrays += [b""] * (_count(header) - len(arrays))  # others than the chief's
        return _unpack(header, [self._broadcast_bytes(array) for array in arrays])

    def _broadcast_bytes(self, data):
        size = int(self.sum(np.array([len(data) if self.is_chief else 0], np.int64))[0])
        numbers = np.zeros(-(-size // 4), np.int32)
        if self.is_chief:
            numbers.view(np.uint8)[:size] = np.frombuffer(data, np.uint8)
        return self.sum(numbers).tobytes()[:size]

    def collect(self, value):
        """A list of what each worker gives, in their order; anything for JSON."""
        if self.count == 1:
            return [value]
        data = json.dumps(value).encode()
        sizes = np.zeros(self.count, np.int64)
        sizes[self.index] = len(data)
        sizes = self.sum(sizes)
        numbers = np.zeros((self.count, -(-int(sizes.max()) // 4)), np.int32)
        numbers[self.index].view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        return [
            json.loads(row.tobytes()[:size])
            for row, size in zip(self.sum(numbers), sizes.tolist())
        ]

    def check_same(self, facts):
        """Raises `BadInput` on every worker if they differ in a fact.

        Args:
            facts: dictionary from what is compared, such as `"recipe"`, to strings.
        """
        found = self.collect(facts)
        for name in facts:
            values = [each.get(name) for each in found]
            others = [i for i, value in enumerate(values) if value != values[0]]
            if others:
                raise BadInput(
                    f"Expected all {self.count} workers to have the same {name}. "
                    f"Received: another {name} than worker 0's on worker "
                    f"{', '.join(map(str, others))} ({values[others[0]]} instead of "
                    f"{values[0]}).",
                    remedy="Start all of them with the same files and packages.",
                )


ARRAY = "__array__"


def _pack(value, arrays):
    """A value for JSON, in which arrays are replaced and appended to a list."""
    if isinstance(value, np.ndarray):
        arrays.append(np.ascontiguousarray(value).data.cast("B"))
        return {ARRAY: [value.dtype.str, list(value.shape)]}
    if isinstance(value, dict):
        return {key: _pack(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(each, arrays) for each in value]
    return value


def _count(header):
    """The number of arrays in what `_pack` returns."""
    if isinstance(header, dict):
        return 1 if ARRAY in header else sum(map(_count, header.values()))
    return sum(map(_count, header)) if isinstance(header, list) else 0


def _unpack(header, arrays):
    """Undoes `_pack`; takes the arrays from the front of the list."""
    if isinstance(header, list):
        return [_unpack(each, arrays) for each in header]
    if not isinstance(header, dict):
        return header
    if ARRAY in header:
        dtype, shape = header[ARRAY]
        return np.frombuffer(arrays.pop(0), dtype).reshape(shape).copy()
    return {key: _unpack(each, arrays) for key, each in header.items()}
