"""The documents of a batch on all replicas, from within the step of one."""

import tensorflow as tf

from xmc_keras.ops.distribution.replicas import (
    count_replicas,
    gather_replicas,
    replica_index,
    sum_over_replicas,
)


class ReplicaDocuments:
    """The documents of a batch on all replicas, from within the step of one.

    Replicas exchange numbers of their documents, which may be as many as they like on
    each. The gradient of `gather` is `sum`, and that of `sum` is `gather`.

    Args:
        replicas: int. How many there are.
        documents: int or int32 tensor. Documents of this replica.
        width: int or int32 tensor. The width of what `gather_ids` is given. Defaults to
            `0`.

    Raises:
        ValueError: the call is not within a step that all replicas run.

    Example:

    >>> documents = ReplicaDocuments(1, documents=2)
    >>> documents.gather(tf.constant([[0.5], [0.25]])).numpy().tolist()
    [[0.5], [0.25]]
    """

    def __init__(self, replicas, documents, width=0):
        in_step = tf.distribute.get_replica_context() is not None
        if not in_step or count_replicas() != replicas:
            raise ValueError(
                "Expected a model with a sharded label table to be called within a "
                "step of its strategy, as in `fit` and `evaluate`. Received: a call "
                "outside of one. Take the model that `whole_model` returns."
            )
        sizes = gather_replicas(tf.convert_to_tensor([[documents, width]], tf.int32))
        self._own, self._width = documents, tf.reduce_max(sizes[:, 1])
        self._first = tf.reduce_sum(sizes[: replica_index(), 0])

    def gather_ids(self, ids):
        """Ids of all documents from those of each replica.

        Args:
            ids: int32 tensor (documents, width), `-1` pads.

        Returns:
            int32 tensor (all documents, largest width), `-1` pads.
        """
        # Gathered tensors must agree in all axes but the first.
        missing = self._width - tf.shape(ids)[1]
        return gather_replicas(tf.pad(ids, [[0, 0], [0, missing]], constant_values=-1))

    def gather(self, values):
        """Numbers (all documents, ...) from those (documents, ...) of each replica."""
        # TensorFlow's kernels exchange no bfloat16.
        return tf.cast(self._gather(tf.cast(values, tf.float32)), values.dtype)

    def sum(self, values):
        """The sum over replicas for own documents (documents, ...).

        Args:
            values: float tensor (all documents, ...), what this replica adds for each.
        """
        return tf.cast(self._sum(tf.cast(values, tf.float32)), values.dtype)

    def own(self, values):
        """The rows of own documents among those of all."""
        return values[self._first : self._first + self._own]

    def _gather(self, values):
        shape = values.shape

        @tf.custom_gradient
        def gather(values):
            found = tf.ensure_shape(gather_replicas(values), [None, *shape[1:]])
            return found, self._sum

        return gather(values)

    def _sum(self, values):
        @tf.custom_gradient
        def add(values):
            # Not TensorFlow's gradient, which sums zeros for the documents of others.
            return self.own(sum_over_replicas(values)), self._gather

        return add(values)
