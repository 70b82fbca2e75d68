"""Training and evaluation steps on several devices or machines."""

import tensorflow as tf

from xmc_keras.ops.distribution.sharded_table import check_whole


class ReplicaSteps:
    """Mixin with which `fit` and `evaluate` of a `keras.Model` run under any strategy.

    Put it before `keras.Model` in the bases. Without a strategy it changes nothing.

    Keras 3.15 trains under `MirroredStrategy` only if the inputs can be averaged: it
    averages the first batch to build the model, and a padding mask is bool. Under
    `MultiWorkerMirroredStrategy` it fails: it asks for the mean over axis 0 of logs
    that are scalars. Here a model is built before, and the logs of a step are averaged
    in one message. At the end of an epoch Keras reads the metrics themselves, which
    are exact: sums over replicas.

    A model with a sharded table is trained and evaluated; `whole_model` makes one of
    it that predicts.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if not self.built:
            super()._maybe_symbolic_build(iterator, data_batch)

    def make_train_function(self, force=False):
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return super().make_train_function(force)
        if self.train_function is None or force:
            self.train_function = self._replicated(self.train_step)

    def make_test_function(self, force=False):
        if self.distribute_strategy.num_replicas_in_sync == 1:
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = self._replicated(self.test_step)

    def make_predict_function(self, force=False):
        # A worker that predicts alone would wait for the others.
        check_whole(self.variables)
        return super().make_predict_function(force)

    def _replicated(self, step):
        strategy = self.distribute_strategy

        def on_replica(data):
            logs = step(data)
            return logs, tf.stack([tf.cast(v, tf.float32) for v in logs.values()])

        @tf.function(reduce_retracing=True, autograph=False)
        def one_step(iterator):
            logs, values = strategy.run(on_replica, args=(next(iterator),))
            names = list(logs)
            means = strategy.reduce("MEAN", values, axis=None)
            return dict(zip(names, tf.unstack(means, num=len(names))))

        return one_step
