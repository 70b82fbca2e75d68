"""Label table of which all rows are read for every text."""

import uuid

import numpy as np
import tensorflow as tf

from xmc_keras.serving.graph.stored_ranker import quantize_rows


class SearchedTable(tf.saved_model.experimental.TrackableResource):
    """A label table for products with all its rows, stored in 32, 16 or 8 bits.

    It has one column per label, the layout that products with few texts read fastest.
    A float16 or int8 table is converted to float32 once, when a server loads the
    version, right after it has read the variables. Converting it in each request takes
    longer than the product itself, and so do products of int8 or bfloat16 numbers. So
    fewer bits need less room on disk, not in memory. Each int8 row has its own scale,
    same as in `StoredRanker`.

    Args:
        blocks: list of float32 or bfloat16 tensors (labels of a block, dim), the rows.
        stored: `"float32"`, `"float16"` or `"int8"`. dtype on disk.

    Attributes:
        variables: list of `tf.Variable` to save: the table, (dim, num_labels), and for
            int8 the scales, (num_labels,).

    Example:

    >>> table = SearchedTable([tf.constant([[1.0, 2.0], [3.0, 4.0]])], "float16")
    >>> tf.matmul([[1.0, 1.0]], table.columns()).numpy().tolist()
    [[3.0, 7.0]]
    """

    def __init__(self, blocks, stored):
        super().__init__()
        num_labels = sum(block.shape[0] for block in blocks)
        # In place, block by block: the table may be most of the memory.
        columns = np.empty((blocks[0].shape[1], num_labels), stored)
        scales = np.empty(num_labels, np.float32)
        end = 0
        for block in blocks:
            start, end = end, end + block.shape[0]
            rows = tf.cast(block, tf.float32).numpy()
            if stored == "int8":
                rows, scales[start:end] = quantize_rows(rows)
            columns[:, start:end] = rows.T
        tables = [columns, scales] if stored == "int8" else [columns]
        self.variables = [tf.Variable(table, trainable=False) for table in tables]
        self._widened = stored != "float32"
        # TensorFlow shares resources of the same name, even between two versions that
        # a process loads without sessions.
        self._name_in_server = f"searched_table_{uuid.uuid4().hex}"
        self._initialize()

    def columns(self):
        """The table as a float32 tensor (dim, num_labels)."""
        if not self._widened:
            return tf.convert_to_tensor(self.variables[0])
        columns = tf.raw_ops.ReadVariableOp(
            resource=self.resource_handle, dtype=tf.float32
        )
        return tf.ensure_shape(columns, self.variables[0].shape)

    def _create_resource(self):
        return tf.raw_ops.VarHandleOp(
            dtype=tf.float32,
            shape=self.variables[0].shape,
            shared_name=self._name_in_server,
        )

    def _initialize(self):
        if self._widened:
            columns, *scales = self.variables
            value = tf.cast(columns, tf.float32)
            for scale in scales:
                value *= scale
            tf.raw_ops.AssignVariableOp(resource=self.resource_handle, value=value)
