"""AdamW with sparse updates of large tables."""

import re

import keras
import tensorflow as tf

from xmc_keras.ops.distribution.replicas import (
    count_replicas,
    local_part,
    sum_over_replicas,
)
from xmc_keras.ops.distribution.sharded_table import (
    is_sharded,
    mark_sharded,
    row_shards,
)
from xmc_keras.ops.xla import in_xla
from xmc_keras.optimizers.row_updates import (
    adam_update,
    apply_row_updates,
    draw_row,
    sgd_update,
    step_rows,
    step_rows_by_xla,
    sum_rows,
)


@keras.saving.register_keras_serializable(package="xmc_keras")
class RowwiseAdamW(keras.optimizers.AdamW):
    """AdamW that sums repeated rows and can update the touched rows alone.

    The gradient of a gather is a `tf.IndexedSlices`: row ids and values, with an id
    repeated for each time it was gathered. Keras squares these rows before they are
    summed, which makes Adam's steps too large for repeated rows (a label that several
    documents of a batch share, a frequent token), and then updates the whole table.
    Here repeated rows are summed first, so the update equals Adam on the dense
    gradient. For the variables matched by `rowwise`, only touched rows are read and
    written; the moments of other rows do not change and other rows do not decay, as in
    PyTorch's SparseAdam. Weight decay is decoupled and uses the learning rate of each
    variable.

    A table matched by `rowwise` may be bfloat16. Its moments and the arithmetic are
    float32, and the new rows are rounded stochastically, because most steps of Adam are
    smaller than the distance between bfloat16 numbers.

    Args:
        learning_rate: float or `keras.optimizers.schedules.LearningRateSchedule`.
            Defaults to `1e-4`.
        weight_decay: float. Exclude variables with
            `exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])`. Defaults
            to `0.01`.
        multipliers: optional dict from a regular expression, searched in
            `variable.path`, to a factor on the learning rate. The first match counts.
        rowwise: list of regular expressions, searched in `variable.path`: tables of
            which only touched rows are updated. `[]` means dense AdamW for all
            variables, with repeated rows summed. Defaults to `["label_embeddings"]`.
        partial: list of regular expressions, searched in `variable.path`: tables
            matched by `rowwise` that have one second moment per row, of the mean of
            its squared gradients. They need two thirds of the memory. Defaults to `[]`.
        sgd: list of regular expressions, searched in `variable.path`: tables that are
            updated by stochastic gradient descent, and have no moments without
            `momentum`. They need a third of the memory, and another learning rate than
            Adam, whose steps do not grow with the gradient. Defaults to `[]`.
        momentum: float, at least 0 and below 1. Momentum of the tables of `sgd`, which
            must be float32; weight decay is then a part of their gradient. Defaults to
            `0.0`.
        **kwargs: other arguments of `keras.optimizers.AdamW`, except `amsgrad` and
            `clipvalue`. `clipnorm` and `global_clipnorm` use the norms of dense
            gradients.

    Example:

    >>> optimizer = RowwiseAdamW(1e-4, multipliers={"label_embeddings": 20.0})
    >>> optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])

    Reference:
        [Adam](https://arxiv.org/abs/1412.6980), algorithm 1;
        [AdamW](https://arxiv.org/abs/1711.05101), algorithm 2. `partial` follows the
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
        momentum=0.0,
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
        if not 0 <= momentum < 1:
            raise ValueError(
                "Expected `momentum` at least 0 and below 1. Received: "
                f"momentum={momentum}"
            )
        self.momentum = momentum
        self.multipliers = dict(multipliers or {})
        self.rowwise = list(rowwise)
        self.partial = list(partial)
        self.sgd = list(sgd)
        self._not_decayed = []

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        super().exclude_from_weight_decay(var_list, var_names)
        self._not_decayed = list(var_names or [])

    def _clip_gradients(self, grads):
        # Keras clips before it sums over replicas.
        return grads if count_replicas() > 1 else self._clip(grads)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        grads, variables = zip(*grads_and_vars)
        if count_replicas() > 1:
            indices = map(self._get_variable_index, variables)
            sharded = [is_sharded(self._trainable_variables[i]) for i in indices]
            grads = _sum_gradients([_widen(g) for g in grads], sharded)
            grads = self._clip(grads, sharded)
        return list(zip(grads, variables))

    def _clip(self, grads, sharded=None):
        # Uses the norms of the dense gradients but keeps the gradients sparse. Keras
        # takes the norm of rows that are not summed yet, and makes them dense.
        limit = self.clipnorm or self.global_clipnorm
        if not limit:
            return grads
        norms = [tf.norm(_values(sum_rows(g))) for g in grads]
        if any(sharded or []):
            norms = _join_norms(norms, sharded)
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
        """Does nothing: `update_step` applies the decay."""

    def build(self, variables):
        if self.built:
            return
        # Not Adam's `build`, which creates both moments for all variables.
        keras.optimizers.Optimizer.build(self, variables)
        self._momentums = [self._moment(v, "momentum") for v in variables]
        self._velocities = [self._moment(v, "velocity") for v in variables]

    def _moment(self, variable, name):
        if _matches(self.sgd, variable):
            if not self.momentum or name == "velocity":
                return None
            if variable.dtype != "float32":
                raise ValueError(
                    "Expected float32 tables with `momentum`. Received: "
                    f"{variable.path} of {variable.dtype}"
                )
        shape, dtype = variable.shape, variable.dtype
        if _matches(self.rowwise, variable):
            dtype = "float32"
            if name == "velocity" and _matches(self.partial, variable):
                shape = (shape[0], 1)
        if (shape, dtype) == (variable.shape, variable.dtype):
            moment = self.add_variable_from_reference(variable, name=name)
        else:
            name = f"{variable.path.replace('/', '_')}_{name}"
            moment = self.add_variable(shape, dtype=dtype, name=name)
        return mark_sharded(moment, row_shards(variable))

    def update_table(self, table, gradient):
        """Updates one of the variables alone, within a step that `apply` ends.

        For tables whose gradient is computed in parts, such as an `OneVsAllHead`'s.
        It is summed over replicas, unless each has other rows of the table, and neither
        clipped nor averaged.

        Args:
            table: a `keras.Variable` that the optimizer was built for.
            gradient: float32 tensor of its shape.
        """
        if not is_sharded(table):
            gradient = sum_over_replicas(gradient)
        self.update_step(gradient, local_part(table.value), self.learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        keras_variable = self._trainable_variables[index]
        path = keras_variable.path
        factors = (f for p, f in self.multipliers.items() if re.search(p, path))
        rate = tf.cast(learning_rate * next(factors, 1.0), tf.float32)
        decay = self.weight_decay if self._use_weight_decay(keras_variable) else 0.0
        # float32, so that `1 - beta_2`, which has three digits fewer than `beta_2`, is
        # the same in the moments and in the powers.
        beta_1, beta_2 = (tf.cast(b, tf.float32) for b in (self.beta_1, self.beta_2))
        step = tf.cast(self.iterations + 1, tf.float32)
        powers = tf.pow(beta_1, step), tf.pow(beta_2, step)
        alpha = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0])
        moments = [self._momentums[index], self._velocities[index]]
        moments = [
            local_part(moment.value, variable.device)
            for moment in moments
            if moment is not None
        ]
        partial = _matches(self.partial, keras_variable)

        is_sgd = _matches(self.sgd, keras_variable)
        is_table = is_sgd or _matches(self.rowwise, keras_variable)
        if is_sgd:
            rule = sgd_update, [rate, decay], self.momentum
        else:
            numbers = [beta_1, beta_2, alpha, rate * decay, self.epsilon]
            rule = adam_update, numbers, partial

        random = None
        if is_table and variable.dtype == tf.bfloat16:
            random = draw_row(variable.shape[1], self.iterations)

        def next_rows(total, rows, by_xla):
            """New rows of the table and its moments, from those of before."""
            new_rows = step_rows_by_xla if by_xla else step_rows
            return new_rows(total, rows, *rule, random)

        def update_rows(ids, total, by_xla):
            rows = [tf.gather(x, ids) for x in tables]
            for x, row in zip(tables, next_rows(total, rows, by_xla)):
                x.scatter_update(tf.IndexedSlices(row, ids))

        tables = [variable, *moments]
        if isinstance(gradient, tf.IndexedSlices) and is_table:
            gradient = sum_rows(gradient)
            # Rows of several replicas have lost their shape.
            total = tf.ensure_shape(gradient.values, [None, *variable.shape[1:]])
            total = tf.cast(total, tf.float32)
            apply_row_updates(update_rows, gradient.indices, total)
        elif is_sgd or (is_table and (partial or variable.dtype == tf.bfloat16)):
            total = tf.cast(tf.convert_to_tensor(gradient), tf.float32)
            values = [tf.convert_to_tensor(x) for x in tables]
            for x, value in zip(tables, next_rows(total, values, by_xla=not in_xla())):
                x.assign(value)
        else:

            def cast(number):
                return tf.cast(number, variable.dtype)

            if decay:
                variable.assign(variable * cast(1 - rate * decay))
            # TensorFlow's Adam kernel makes one pass over four arrays instead of a
            # dozen passes. Converting the gradient to dense sums repeated rows.
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
                "momentum": self.momentum,
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


def _matches(patterns, variable):
    return any(re.search(pattern, variable.path) for pattern in patterns)


def _values(gradient):
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _sum_gradients(gradients, sharded):
    """Sums gradients over replicas, except those of shards, which are whole already."""
    rest = [g for g, own in zip(gradients, sharded) if not own]
    rest = iter(sum_over_replicas(rest) if rest else [])
    return [g if own else next(rest) for g, own in zip(gradients, sharded)]


def _join_norms(norms, sharded):
    """The norms of whole gradients: those of shards are of a replica's rows."""
    squares = [tf.square(norm) for norm, own in zip(norms, sharded) if own]
    whole = iter(sum_over_replicas(squares))
    return [tf.sqrt(next(whole)) if o else n for n, o in zip(norms, sharded)]


def _widen(gradient):
    """A gradient in float32, in which replicas can sum it."""
    if isinstance(gradient, tf.IndexedSlices):
        values = tf.cast(gradient.values, tf.float32)
        return tf.IndexedSlices(values, gradient.indices, gradient.dense_shape)
    return tf.cast(gradient, tf.float32)
