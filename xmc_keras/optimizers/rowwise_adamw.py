"""AdamW for tables of which a step touches few rows."""

import re

import keras
import tensorflow as tf

from xmc_keras.optimizers.row_updates import (
    adam_rows_by_xla,
    adam_update,
    apply_row_updates,
    find_touched_rows,
    stochastic_round,
    sum_rows,
)


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

    A table of `rowwise` may be bfloat16. Its moments are float32, and so is the
    arithmetic; the new rows are rounded up or down at random, in proportion to how
    near they are, because a step of Adam is mostly smaller than the distance to the
    next bfloat16.

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
        partial: list of regular expressions, searched in `variable.path`: tables of
            `rowwise` with one second moment a row, of the mean of its squared
            gradients, for two thirds of the memory. Defaults to `[]`.
        sgd: list of regular expressions, searched in `variable.path`: tables of
            `rowwise` that have no moments and are updated by plain stochastic gradient
            descent, for a third of the memory. Their rate is another one than Adam's,
            whose steps do not grow with the gradient. Defaults to `[]`.
        **kwargs: other arguments of `keras.optimizers.AdamW`, except `amsgrad` and
            `clipvalue`. `clipnorm` and `global_clipnorm` see dense gradients.

    Example:

    >>> optimizer = RowwiseAdamW(1e-4, multipliers={"label_embeddings": 20.0})
    >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])

    Reference:
        [Adam](https://arxiv.org/abs/1412.6980), algorithm 1;
        [AdamW](https://arxiv.org/abs/1711.05101), algorithm 2. `partial` after the
        partial row-wise Adam of [FBGEMM](https://arxiv.org/abs/2101.05615).
    """

    def __init__(
        self,
        learning_rate=1e-4,
        weight_decay=0.01,
        multipliers=None,
        rowwise=("label_embeddings",),
        partial=(),
        sgd=(),
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
        self.partial = list(partial)
        self.sgd = list(sgd)
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

    def build(self, variables):
        if self.built:
            return
        # Not Adam's, which would make moments for all.
        keras.optimizers.Optimizer.build(self, variables)
        self._momentums = [self._moment(v, "momentum") for v in variables]
        self._velocities = [self._moment(v, "velocity") for v in variables]

    def _moment(self, variable, name):
        if named(self.sgd, variable):
            return None
        shape, dtype = variable.shape, variable.dtype
        if named(self.rowwise, variable):
            dtype = "float32"
            if name == "velocity" and named(self.partial, variable):
                shape = (shape[0], 1)
        if (shape, dtype) == (variable.shape, variable.dtype):
            return self.add_variable_from_reference(variable, name=name)
        name = f"{variable.path.replace('/', '_')}_{name}"
        return self.add_variable(shape, dtype=dtype, name=name)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        keras_variable = self._trainable_variables[index]
        path = keras_variable.path
        factors = (f for p, f in self.multipliers.items() if re.search(p, path))
        rate = tf.cast(learning_rate * next(factors, 1.0), tf.float32)
        decay = self.weight_decay if self._use_weight_decay(keras_variable) else 0.0
        # As float32, so that `1 - beta_2` is the same in moments and powers: it has
        # three digits less than `beta_2`.
        beta_1, beta_2 = (tf.cast(b, tf.float32) for b in (self.beta_1, self.beta_2))
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = tf.pow(beta_1, step), tf.pow(beta_2, step)
        alpha = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        moments = [self._momentums[index], self._velocities[index]]
        moments = [moment.value for moment in moments if moment is not None]
        partial = named(self.partial, keras_variable)

        def update_rows(ids, total, by_xla):
            tables = [variable, *moments]
            rows = [tf.cast(tf.gather(x, ids), tf.float32) for x in tables]
            if moments:
                numbers = beta_1, beta_2, alpha, rate * decay, self.epsilon
                moved = adam_rows_by_xla if by_xla else adam_update
                rows = moved(total, *rows, *numbers, partial=partial)
            else:
                rows = [
                    rows[0] * (1 - rate * decay * find_touched_rows(total))
                    - rate * total
                ]
            if variable.dtype == tf.bfloat16:
                rows = [stochastic_round(rows[0], self.iterations), *rows[1:]]
            for x, row in zip(tables, rows):
                x.scatter_update(tf.IndexedSlices(row, ids))

        sparse = isinstance(gradient, tf.IndexedSlices)
        if sparse and named(self.rowwise, keras_variable):
            gradient = sum_rows(gradient)
            total = tf.cast(gradient.values, tf.float32)
            apply_row_updates(update_rows, gradient.indices, total)
        elif not moments:
            raise ValueError(
                "Expected a gradient of rows, as that of a gather, for a variable of "
                f"`sgd` and `rowwise`. Received: a dense gradient of {path}"
            )
        else:

            def cast(number):
                return tf.cast(number, variable.dtype)

            if decay:
                variable.assign(variable * cast(1 - rate * decay))
            # TensorFlow's own Adam kernel: one pass over four arrays instead of a
            # dozen. Converting the gradient sums the rows that repeat.
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=moments[0].handle,
                v=moments[1].handle,
                beta1_power=cast(powers[0]),
                beta2_power=cast(powers[1]),
                lr=cast(rate),
                beta1=cast(beta_1),
                beta2=cast(beta_2),
                epsilon=self.epsilon,
                grad=cast(tf.convert_to_tensor(gradient)),
            )

    def get_config(self):
        config = super().get_config()
        config.update(
            {
                "multipliers": self.multipliers,
                "rowwise": self.rowwise,
                "partial": self.partial,
                "sgd": self.sgd,
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


def named(patterns, variable):
    return any(re.search(pattern, variable.path) for pattern in patterns)


def _values(gradient):
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
