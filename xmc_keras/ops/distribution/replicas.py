"""Replicas of a model that `tf.distribute` trains together, from within a step."""

import tensorflow as tf


def count_replicas():
    """Replicas that train together, over all machines; 1 without a strategy.

    Example:

    >>> count_replicas()
    1
    """
    return tf.distribute.get_strategy().num_replicas_in_sync


def replica_index():
    """The index of the replica that runs this step, an int or int tensor."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def local_part(variable, device=None):
    """The part of a variable on the device of the replica that runs this step.

    Updating or gathering rows of a mirrored variable in another way reads all of it.

    Args:
        variable: a TensorFlow variable, mirrored or not.
        device: optional string. Its device, where no replica runs, as in the update
            of a variable.

    Returns:
        A TensorFlow variable, without a strategy the same one.
    """
    if count_replicas() == 1:
        return variable
    parts = tf.distribute.get_strategy().experimental_local_results(variable)
    if len(parts) == 1:
        return parts[0]
    if device is None:
        ((device,),) = tf.distribute.get_replica_context().devices
    place = _place(device)
    return next(part for part in parts if _place(part.device) == place)


def local_replicas(strategy):
    """The indices among all replicas of those in this process, a range."""
    local = len(strategy.extended.worker_devices)
    resolver = strategy.cluster_resolver
    first = (getattr(resolver, "task_id", None) or 0) * local
    return range(first, first + local)


def _place(device):
    device = tf.DeviceSpec.from_string(device)
    return device.device_type, device.device_index


def sum_over_replicas(tensor):
    """The sum of a tensor over all replicas, the same for each.

    Rows (`tf.IndexedSlices`) are gathered: the sum has the rows of all replicas.
    """
    if count_replicas() == 1:
        return tensor
    return tf.distribute.get_replica_context().all_reduce("SUM", tensor)


def gather_replicas(tensor, axis=0):
    """The tensors of all replicas, one after the other; other axes must agree."""
    if count_replicas() == 1:
        return tensor
    return tf.distribute.get_replica_context().all_gather(tensor, axis=axis)


def loss_share(documents, training=True):
    """The factor that turns a mean over one replica's documents into its part of all's.

    Gradients are summed over replicas. The sum over replicas of `loss_share * mean` is
    the mean over the documents of all of them, even if one has fewer.

    Args:
        documents: int tensor. Documents of this replica.
        training: bool. `False` counts replicas instead of documents: there are no
            gradients, and Keras weighs what it logs.

    Returns:
        float32 tensor or float, 1 without a strategy.

    Example:

    >>> float(loss_share(tf.constant(3)))
    1.0
    """
    replicas = count_replicas()
    if replicas == 1 or not training:
        return 1 / replicas
    own = tf.cast(documents, tf.float32)
    return own / tf.maximum(sum_over_replicas(own), 1.0)


def count_documents(label_ids, sample_weight=None):
    """Documents of a batch: those without weight only fill up a replica's part.

    Args:
        label_ids: int tensor (batch, n).
        sample_weight: optional float tensor (batch,).

    Returns:
        int32 tensor.
    """
    if sample_weight is None or count_replicas() == 1:
        return tf.shape(label_ids)[0]
    return tf.math.count_nonzero(sample_weight, dtype=tf.int32)
