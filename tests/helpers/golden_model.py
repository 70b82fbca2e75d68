"""A SavedModel of a few kilobytes, with which golden.jsonl was recorded.

    serving_default, serve   text string[None] -> labels string[None, 5],
                             scores float32[None, 5]
    top_k                    text, k int32 of any rank -> labels, scores [None, k]
    labels_only              text -> labels

The hash of a text selects its scores, a row of a fixed random table: the same text has
the same scores in any batch.
"""

import numpy as np
import tensorflow as tf

NUM_LABELS = 10
ROWS = 97  # a prime, to spread the hashes

TEXT = tf.TensorSpec([None], tf.string, name="text")
ANY_K = tf.TensorSpec(None, tf.int32, name="k")


class GoldenModel(tf.Module):
    def __init__(self):
        super().__init__()
        table = np.random.default_rng(0).random((ROWS, NUM_LABELS), "float32")
        self.table = tf.Variable(table, trainable=False)
        self.names = tf.Variable([f"L{i}" for i in range(NUM_LABELS)], trainable=False)

    def best(self, text, k):
        # Without it the server would accept texts of any rank.
        text = tf.ensure_shape(text, [None])
        rows = tf.gather(self.table, tf.strings.to_hash_bucket_fast(text, ROWS))
        scores, label_ids = tf.math.top_k(rows, k)  # (batch, k)
        return {"labels": tf.gather(self.names, label_ids), "scores": scores}

    @tf.function(input_signature=[TEXT])
    def serve(self, text):
        return self.best(text, 5)

    @tf.function(input_signature=[TEXT, ANY_K])
    def top_k(self, text, k):
        return self.best(text, tf.minimum(tf.reduce_max(k), NUM_LABELS))

    @tf.function(input_signature=[TEXT])
    def labels_only(self, text):
        return {"labels": self.best(text, 5)["labels"]}


def write_golden_model(folder):
    """Writes the model to `folder`, a version folder (`<base>/1`)."""
    model = GoldenModel()
    tf.saved_model.save(
        model,
        str(folder),
        signatures={
            "serving_default": model.serve,
            "serve": model.serve,
            "top_k": model.top_k,
            "labels_only": model.labels_only,
        },
    )
