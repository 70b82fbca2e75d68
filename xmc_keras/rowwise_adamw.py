"""AdamW for tables of which a step touches few rows."""

import re

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="xmc_keras")
class RowwiseAdamW(keras.optimizers.AdamW):
    """AdamW that sums repeated rows and can update only the rows touched.

    The gradient of a gather comes as `tf.IndexedSlices`: rows and their ids, an
    id once for each time that it was gathered. Keras squares such rows before
    they are summed, which makes steps of Adam too large wherever a row repeats
    (a label that several documents of a batch share, a frequent token), and then
    updates the whole table. Here repeated rows are summed first, so the update is
    that of Adam on the dense gradient. For the variables named by `rowwise` only
    the rows touched are read and written; the moments and the decay of other rows
    rest, as in PyTorch's SparseAdam. Weight decay is decoupled and uses each
    variable's own learning rate.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`.
            Defaults to `1e-4`.
        weight_decay: float. Defaults to `0.01`. Leave variables out by
            `exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])`.
        multipliers: optional dictionary from a regular expression, searched in
            `variable.path`, to a factor on the learning rate; the first that
            matches counts.
        rowwise: list of regular expressions, searched in `variable.path`: tables
            to be updated by touched rows. `[]` is dense AdamW for all, with
            repeated rows summed. Defaults to `["label_embeddings"]`.
        **kwargs: other arguments of `keras.optimizers.AdamW`, except `amsgrad` and
            `clipvalue`. `clipnorm` and `global_clipnorm` see dense gradients.

    Example:

    >>> optimizer = RowwiseAdamW(1e-4, multipliers={"label_embeddings": 20.0})
    >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])

    Reference:
        [Adam](https://arxiv.org/abs/1412.6980), algorithm 1;
        [AdamW](https://arxiv.org/abs/1711.05101), algorithm 2.
    """

    def __init__(
        self,
        learning_rate=1e-4,
        weight_decay=0.01,
        multipliers=None,
        rowwise=("label_embeddings",),
        name="rowwise_adamw",
        **kwargs,
    ):
        super().__init__(
            learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs
        )
        if self.amsgrad or self.clipvalue:
            raise ValueError(
                "Expected no `amsgrad` and no `clipvalue`. Received: "
                f"amsgrad={self.amsgrad}, clipvalue={self.clipvalue}"
            )
        self.multipliers = dict(multipliers or {})
        self.rowwise = list(rowwise)
        self._not_decayed = []

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        super().exclude_from_weight_decay(var_list, var_names)
        self._not_decayed = list(var_names or [])

    def _clip_gradients(self, grads):
        # By norms of the dense gradients, while rows stay rows: Keras takes the norm
        # of rows not yet summed and makes them dense.
        limit = self.clipnorm or self.global_clipnorm
        if not limit:
            return grads
        norms = [tf.norm(_values(sum_rows(g))) for g in grads]
        if not self.clipnorm:
            norms = [tf.norm(norms)] * len(grads)
        scales = [limit / tf.maximum(norm, limit) for norm in norms]
        return [
            tf.IndexedSlices(g.values * scale, g.indices, g.dense_shape)
            if isinstance(g, tf.IndexedSlices)
            else g * scale
            for g, scale in zip(grads, scales)
        ]

    def _apply_weight_decay(self, variables):
        """Nothing here: `update_step` decays what it updates, at its own rate."""

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        keras_variable = self._trainable_variables[index]
        path = keras_variable.path
        factors = (f for p, f in self.multipliers.items() if re.search(p, path))
        rate = tf.cast(learning_rate * next(factors, 1.0), variable.dtype)
        decay = self.weight_decay if self._use_weight_decay(keras_variable) else 0.0
        keep = 1.0 - rate * decay

        step = tf.cast(self.iterations + 1, variable.dtype)
        # As float32, so that `1 - beta_2` is the same in moments and powers: it has
        # three digits less than `beta_2`.
        beta_1 = tf.cast(self.beta_1, variable.dtype)
        beta_2 = tf.cast(self.beta_2, variable.dtype)
        powers = tf.pow(beta_1, step), tf.pow(beta_2, step)
        m, v = self._momentums[index].value, self._velocities[index].value

        sparse = isinstance(gradient, tf.IndexedSlices)
        if sparse and any(re.search(p, path) for p in self.rowwise):
            gradient = sum_rows(gradient)
            ids = gradient.indices  # (touched rows,)
            total = tf.cast(gradient.values, variable.dtype)  # (touched rows, dim)
            m_rows = tf.gather(m, ids) * beta_1 + total * (1 - beta_1)
            v_rows = tf.gather(v, ids) * beta_2 + tf.square(total) * (1 - beta_2)
            alpha = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
            rows = tf.gather(variable, ids) * keep
            rows -= alpha * m_rows / (tf.sqrt(v_rows) + self.epsilon)
            m.scatter_update(tf.IndexedSlices(m_rows, ids))
            v.scatter_update(tf.IndexedSlices(v_rows, ids))
            variable.scatter_update(tf.IndexedSlices(rows, ids))
        else:
            if decay:
                variable.assign(variable * keep)
            # TensorFlow's own Adam kernel: one pass over four arrays instead of a
            # dozen. Converting the gradient sums the rows that repeat.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=beta_1,
                beta2=beta_2,
                epsilon=self.epsilon,
                grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
            )

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "multipliers": self.multipliers,
                "rowwise": self.rowwise,
                "exclude_from_weight_decay": self._not_decayed,
            }
        )
        return config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        names = config.pop("exclude_from_weight_decay", [])
        optimizer = super().from_config(config, custom_objects)
        optimizer.exclude_from_weight_decay(var_names=names)
        return optimizer


def sum_rows(gradient):
    """The same gradient with each row once, where it is `tf.IndexedSlices`.

    Not to be applied twice: XLA takes the result of `tf.unique` for longer than it
    is if it is made unique again.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    ids, places = tf.unique(gradient.indices)
    total = tf.math.unsorted_segment_sum(gradient.values, places, tf.shape(ids)[0])
    return tf.IndexedSlices(total, ids, gradient.dense_shape)


def _values(gradient):
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
