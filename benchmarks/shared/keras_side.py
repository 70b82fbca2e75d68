"""Models of this library as sides of a benchmark, see `sides.py`."""

import os
import time

from benchmarks.shared import sides

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import keras_nlp
import numpy as np
import tensorflow as tf

from benchmarks.shared.random_batches import random_batches, rectangle
from xmc_keras.config.config import Config
from xmc_keras.encoders.pretrained import load_encoder
from xmc_keras.lightdxml.build import build_lightdxml, lightdxml_optimizer
from xmc_keras.lightxml.build import build_model, build_optimizer
from xmc_keras.one_vs_all.build import build_one_vs_all
from xmc_keras.training.memory import measure_peak_memory

VOCABULARY = 30_522  # of BERT, uncased


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
    if system == "lightdxml":
        of_system = {"epochs": 1}
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


def random_bert(shape):
    """A BERT of `layers` and `hidden` with random weights."""
    return keras_nlp.models.BertBackbone(
        vocabulary_size=VOCABULARY,
        num_layers=shape["layers"],
        num_heads=max(1, shape["hidden"] // 64),
        hidden_dim=shape["hidden"],
        intermediate_dim=4 * shape["hidden"],
    )


class KerasSide:
    """A model with random heads, or its encoder alone where there are no labels."""

    def __init__(self, shape):
        keras.utils.set_random_seed(0)
        keras.config.set_dtype_policy(shape["precision"])
        config = make_config(shape)
        if "layers" in shape:
            backbone, size = random_bert(shape), VOCABULARY
        else:
            backbone, tokenizer = load_encoder(config.encoder)
            size = tokenizer.vocabulary_size()
        self.shape = {**shape, "vocabulary_size": size}
        labels = max(1, shape["labels"])
        optimizer = build_optimizer
        if config.system == "one_vs_all":
            model = build_one_vs_all(config, backbone, None, None, labels)
        elif config.system == "lightdxml":
            self.shape["shortlist"] = config.num_neighbors
            names = [str(i) for i in range(labels)]
            model = build_lightdxml(config, names, backbone=backbone)
            optimizer = lightdxml_optimizer
        else:
            clusters = rectangle(labels, max(1, shape["clusters"]))
            model = build_model(config, backbone, None, clusters, None)
        self.model = model if shape["labels"] else EncoderAlone(model.encoder)
        self.model.compile(optimizer(config, 10**6), jit_compile=shape["xla"] or False)

    def peak_gb(self):
        """Peak memory, of the GPU where there is one."""
        if tf.config.list_physical_devices("GPU"):
            return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
        return measure_peak_memory()

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
