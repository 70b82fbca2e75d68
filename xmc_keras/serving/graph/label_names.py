"""Label names in the graph: ids to names and back."""

import numpy as np
import tensorflow as tf

from xmc_keras.files.bad_input import BadInput

BUCKETS = 2**63 - 1  # of a hash, the largest possible number


class LabelNames(tf.Module):
    """The labels of one model, or the union of several, as variables of a graph.

    Names are a string variable. A constant would count towards the 2 GB limit of a
    graph, and a lookup table needs an initialiser. A name is found by its hash in the
    sorted hashes, and then compared.

    Args:
        names: list of lists of strings. Label names of each model, in the order of its
            ids.

    Example:

    >>> labels = LabelNames([["air", "sea"], ["sky", "sea"]])
    >>> labels.ids(tf.constant(["sky", "mud", "sea"])).numpy().tolist()
    [2, -1, 1]
    >>> labels.own(1, tf.constant([0, 1, 2])).numpy().tolist()
    [-1, 1, 0]
    >>> labels.names_of(labels.shared(1, tf.constant([0, -1]))).numpy().tolist()
    [b'sky', b'']
    """

    def __init__(self, names):
        super().__init__()
        union = list(dict.fromkeys(name for part in names for name in part))
        hashes = tf.strings.to_hash_bucket_fast(union, BUCKETS).numpy()
        order = np.argsort(hashes)
        if (np.diff(hashes[order]) == 0).any():
            raise BadInput(
                "Expected label names with distinct hashes. Received: two names with "
                "the same 63-bit hash. Rename one of them."
            )
        with tf.device("CPU:0"):  # where strings are
            self.names = tf.Variable(union, dtype=tf.string, trainable=False)
            self.hashes = tf.Variable(hashes[order], trainable=False)
            self.hash_ids = tf.Variable(order.astype("int32"), trainable=False)
        # Maps between each model's ids and those of the union, unless all are equal.
        self.to_shared, self.to_own = [], []
        if any(part != union for part in names):
            position = {name: i for i, name in enumerate(union)}
            for part in names:
                shared = np.array([position[name] for name in part], "int32")
                own = np.full(len(union), -1, "int32")
                own[shared] = np.arange(len(part))
                self.to_shared.append(tf.Variable(shared, trainable=False))
                self.to_own.append(tf.Variable(own, trainable=False))

    def __len__(self):
        return self.names.shape[0]

    def ids(self, names):
        """Ids of a string tensor, in its shape; -1 for unknown labels."""
        hashes = tf.strings.to_hash_bucket_fast(names, BUCKETS)
        positions = tf.searchsorted(self.hashes, tf.reshape(hashes, [-1]))
        positions = tf.reshape(tf.minimum(positions, len(self) - 1), tf.shape(names))
        ids = tf.gather(self.hash_ids, positions)
        return tf.where(tf.gather(self.names, ids) == names, ids, -1)

    def names_of(self, ids):
        """Names of int32 ids, in their shape; "" for -1."""
        names = tf.gather(self.names, tf.maximum(ids, 0))
        return tf.where(ids < 0, "", names)

    def shared(self, model, ids):
        """Converts a model's own ids to ids of the union."""
        return _map_ids(self.to_shared, model, ids)

    def own(self, model, ids):
        """Converts ids of the union to a model's own; -1 for labels it lacks."""
        return _map_ids(self.to_own, model, ids)


def _map_ids(maps, model, ids):
    if not maps:
        return ids
    return tf.where(ids < 0, -1, tf.gather(maps[model], tf.maximum(ids, 0)))
