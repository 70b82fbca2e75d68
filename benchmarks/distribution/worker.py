"""A worker of `received.py`, which counts the bytes that it receives."""

import json
import os
import socket
import stat
import struct
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from xmc_keras.ops.distribution.start_strategy import start_strategy

WARM_UP = 3  # steps
HIDDEN, VOCABULARY = 64, 2000  # of the encoder
COLUMNS = 8  # of label ids
RECEIVED = 128  # offset of `tcpi_bytes_received`, a uint64, in Linux's `tcp_info`
TABLE = "label_embeddings"


def count_received():
    """Bytes that the TCP sockets of this process have received, by socket."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.fstat(int(name))
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(int(name))) as copy:
                info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed meanwhile, or not TCP
            continue
        if len(info) >= RECEIVED + 8:
            found[status.st_ino] = struct.unpack_from("Q", info, RECEIVED)[0]
    return found


def count_interface():
    """Bytes that the loopback interface has received."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[0])
    return 0


def make_batches(shape, replica):
    """Batches of a worker: documents with `top_k` clusters and a label of some each."""
    random = np.random.default_rng([7, replica])
    documents, tokens = shape["batch"], shape["tokens"]
    for _ in range(WARM_UP + shape["steps"]):
        clusters = np.stack(
            [
                random.permutation(shape["clusters"])[: shape["top_k"]]
                for _ in range(documents)
            ]
        ).astype("int32")
        label_ids = np.full((documents, COLUMNS), -1, "int32")
        with_label = clusters[:, :COLUMNS]
        label_ids[:, : with_label.shape[1]] = with_label  # its first label
        x = {
            "token_ids": random.integers(5, VOCABULARY, (documents, tokens), "int32"),
            "padding_mask": np.ones((documents, tokens), bool),
            "cluster_ids": clusters,
            "label_ids": label_ids,
        }
        yield x, label_ids.copy()


def make_model(shape):
    """A LightXML with a small encoder and SGD for the label table, without moments."""
    import keras
    import keras_nlp

    from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder
    from xmc_keras.lightxml.build import build_heads
    from xmc_keras.lightxml.lightxml import LightXML
    from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

    keras.utils.set_random_seed(0)
    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=VOCABULARY,
        num_layers=1,
        num_heads=1,
        hidden_dim=HIDDEN,
        intermediate_dim=4 * HIDDEN,
        max_sequence_length=shape["tokens"],
    )
    # Label `i` is in cluster `i % clusters`: the first labels are of other clusters.
    size = -(-shape["labels"] // shape["clusters"])
    places = np.arange(size * shape["clusters"]).reshape(size, -1).T
    generator, _, ranker = build_heads(
        np.where(places < shape["labels"], places, -1),
        shape["top_k"],
        num_predictions=10,
        one_label=False,
        bottleneck_dim=shape["bottleneck"],
        sharded=shape["sharded"],
    )
    encoder = MultiLayerCLSEncoder(backbone, 1, pooling="mean", name="encoder")
    model = LightXML(encoder, generator, ranker, num_predictions=10, name="lightxml")
    model.compile(RowwiseAdamW(1e-4, sgd=[TABLE]), jit_compile=False)
    return model


def find_sizes(model, shape, replicas):
    """The numbers that a step exchanges, see `received.calculate`."""
    dense = 0
    for variable in model.trainable_variables:
        if TABLE not in variable.path and "token_embedding" not in variable.path:
            dense += int(np.prod(variable.shape))
    # Clusters that the documents of a worker share have one gradient; a mean over the
    # steps that are counted.
    counts = [
        len(np.unique(x["cluster_ids"]))
        for replica in range(replicas)
        for x, _ in list(make_batches(shape, replica))[WARM_UP:]
    ]
    size = model.generator.cluster_size
    return {
        "dense": dense,
        "hidden": HIDDEN,
        "token_rows": replicas * shape["batch"] * shape["tokens"],
        "label_rows": float(np.mean(counts)) * replicas * size,
        "candidates": shape["top_k"] * size + COLUMNS,
    }


def main(shape):
    strategy = start_strategy("multi_worker")
    from xmc_keras.ops.distribution.workers import Workers

    workers = Workers(strategy)
    with strategy.scope():
        model = make_model(shape)
        x, y = next(make_batches(shape, workers.index))
        model.build({name: values.shape for name, values in x.items()})
        model.optimizer.build(model.trainable_variables)
    signature = (
        {name: tf.TensorSpec(v.shape, v.dtype) for name, v in x.items()},
        tf.TensorSpec(y.shape, y.dtype),
    )
    dataset = strategy.distribute_datasets_from_function(
        lambda _: tf.data.Dataset.from_generator(
            lambda: make_batches(shape, workers.index), output_signature=signature
        )
    )
    batches = iter(dataset)
    model.make_train_function()
    for _ in range(WARM_UP):
        model.train_function(batches)["loss"].numpy()
    workers.wait()
    before, at_interface, seconds = count_received(), count_interface(), []
    for _ in range(shape["steps"]):
        start = time.perf_counter()
        model.train_function(batches)["loss"].numpy()
        seconds.append(time.perf_counter() - start)
    workers.wait()
    at_interface = count_interface() - at_interface
    received = sum(n - before.get(name, 0) for name, n in count_received().items())
    print(
        json.dumps(
            {
                "received": received / shape["steps"],
                "interface": at_interface / shape["steps"],
                "seconds": seconds,
                "sizes": find_sizes(model, shape, strategy.num_replicas_in_sync),
            }
        ),
        flush=True,
    )
    workers.wait()
    os._exit(0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
