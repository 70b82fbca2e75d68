"""LightXML and one-vs-all of this library as sides of a benchmark, see `sides.py`."""

import os
import time

from benchmarks.shared import sides

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.shared.random_batches import random_batches, rectangle
from xmc_keras.config.config import Config
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.lightxml.build import build_model, build_optimizer
from xmc_keras.one_vs_all.build import build_one_vs_all


class EncoderAlone(keras.Model):
    """The encoder of a model with a loss that costs next to nothing."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def call(self, inputs, training=None):
        return self.encoder(inputs, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **_):
        return keras.ops.mean(keras.ops.square(keras.ops.cast(y_pred, "float32")))


def make_config(shape):
    """The config of a side."""
    system, optimizer = shape["system"], shape["optimizer"]
    of_system = {"num_feature_layers": 1, "pooling": "mean"}
    of_system["head_learning_rate"] = 0.01
    if system == "lightxml":
        of_system = {"top_k": shape["top_k"], "bottleneck_dim": shape["bottleneck"]}
        of_system["label_learning_rate"] = 1.0 if optimizer == "rowwise_sgd" else None
    return Config(
        data="random",
        system=system,
        encoder=shape["encoder"],
        max_tokens=shape["tokens"],
        optimizer=optimizer,
        table_dtype=shape["table_dtype"],
        precision=shape["precision"],
        recompute=shape["recompute"],
        schedule="constant",
        warmup=0,
        **of_system,
    )


class KerasSide:
    """A model with random heads, or its encoder alone where there are no labels."""

    def __init__(self, shape):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(shape["precision"])
        config = make_config(shape)
        backbone, tokenizer = load_encoder(config.encoder)
        self.shape = {**shape, "vocabulary_size": tokenizer.vocabulary_size()}
        labels = max(1, shape["labels"])
        if config.system == "one_vs_all":
            model = build_one_vs_all(config, backbone, tokenizer, None, labels)
        else:
            clusters = rectangle(labels, max(1, shape["clusters"]))
            model = build_model(config, backbone, tokenizer, clusters, None)
        self.model = model if shape["labels"] else EncoderAlone(model.encoder)
        self.model.compile(
            build_optimizer(config, 10**6), jit_compile=shape["xla"] or False
        )

    def start_training(self):
        batches = list(random_batches(self.shape, 8))
        dataset = tf.data.Dataset.from_generator(
            lambda: ((x, x["label_ids"]) for x in batches),
            output_signature=(
                {k: tf.TensorSpec(v.shape, v.dtype) for k, v in batches[0].items()},
                tf.TensorSpec(batches[0]["label_ids"].shape, tf.int32),
            ),
        )
        self.batches = iter(dataset.repeat().prefetch(2))
        self.model(next(self.batches)[0])
        self.model.optimizer.build(self.model.trainable_variables)
        self.model.make_train_function()

    def train(self):
        start = time.perf_counter()
        float(self.model.train_function(self.batches)["loss"])
        return time.perf_counter() - start

    def start_prediction(self):
        (x,) = random_batches(self.shape, 1)
        self.x = {k: tf.constant(v) for k, v in x.items() if k != "label_ids"}
        self.model(self.x)

        @tf.function(jit_compile=self.shape["xla"] or None)
        def ask(x):
            if self.shape["labels"]:
                return self.model(x, training=False)["predicted_ids"]
            return self.model.encoder(x, training=False)  # as the model predicts

        self.ask = ask

    def predict(self):
        start = time.perf_counter()
        np.asarray(self.ask(self.x))
        return time.perf_counter() - start


if __name__ == "__main__":
    sides.answer(KerasSide)
