"""Label table of which all rows are read for every text."""

import uuid

import tensorflow as tf


class SearchedTable(tf.saved_model.experimental.TrackableResource):
    """A label table for products with all its rows, stored as float32 or float16.

    It has one column per label, the layout that products with few texts read fastest.
    A float16 table is converted to float32 once, when a server loads the version,
    right after it has read the variables. Converting it in each request took longer
    than the product itself. So float16 halves the size on disk, not in memory.

    Args:
        rows: float32 tensor (num_labels, dim).
        stored: `"float32"` or `"float16"`. dtype on disk.

    Attributes:
        variable: the `tf.Variable` to save, (dim, num_labels).

    Example:

    >>> table = SearchedTable(tf.constant([[1.0, 2.0], [3.0, 4.0]]), "float16")
    >>> tf.matmul([[1.0, 1.0]], table.columns()).numpy().tolist()
    [[3.0, 7.0]]
    """

    def __init__(self, rows, stored):
        super().__init__()
        columns = tf.cast(tf.transpose(rows), stored)
        self.variable = tf.Variable(columns, trainable=False)
        self._widened = stored == "float16"
        # TensorFlow shares resources of the same name, even between two versions that
        # a process loads without sessions.
        self._name_in_server = f"searched_table_{uuid.uuid4().hex}"
        self._initialize()

    def columns(self):
        """The table as a float32 tensor (dim, num_labels)."""
        if not self._widened:
            return tf.convert_to_tensor(self.variable)
        columns = tf.raw_ops.ReadVariableOp(
            resource=self.resource_handle, dtype=tf.float32
        )
        return tf.ensure_shape(columns, self.variable.shape)

    def _create_resource(self):
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32,
            shape=self.variable.shape,
            shared_name=self._name_in_server,
        )

    def _initialize(self):
        if self._widened:
            tf.raw_ops.AssignVariableOp(
                resource=self.resource_handle,
                value=tf.cast(self.variable, tf.float32),
            )
