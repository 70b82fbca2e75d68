"""Trains models with replicas and with one process, and compares them.

`python -m tests.helpers.equal_workers KIND CASE ...` is run by each worker; the last
line of its output is JSON: of each case, the largest differences of weights, of the
optimizer's state and of the logs.
"""

import json
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np

LABELS, WORDS = 120, 100
TABLE = ["label_embeddings"]
HEADS = "cluster_generator|dynamic_candidate_ranker|one_vs_all_head"


def make_batches(count, shuffle=True, seed=0, batch_size=16):
    from scipy.sparse import csr_matrix

    from xmc_keras.data.document_batches import DocumentBatches
    from xmc_keras.data.token_cache import TokenCache

    random = np.random.default_rng(seed)
    lengths = random.integers(4, 40, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    tokens = random.integers(5, WORDS, offsets[-1]).astype("int32")
    rows = np.repeat(np.arange(count), 3)
    columns = (random.zipf(1.5, 3 * count) - 1) % LABELS
    labels = csr_matrix((np.ones(len(rows)), (rows, columns)), (count, LABELS))
    labels.data[:] = 1
    cache = TokenCache(tokens, offsets)
    return DocumentBatches(cache, labels, batch_size, 0, shuffle=shuffle, seed=3)


def make_encoder(dropout=0.0):
    import keras_nlp

    from xmc_keras.encoders.multi_layer_cls_encoder import MultiLayerCLSEncoder

    backbone = keras_nlp.models.BertBackbone(
        vocabulary_size=WORDS,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=32,
        max_sequence_length=64,
        dropout=dropout,
    )
    return MultiLayerCLSEncoder(backbone, 1, dropout, pooling="mean", name="encoder")


def lightxml(dropout=0.0, **options):
    from xmc_keras.lightxml.cluster_generator import ClusterGenerator
    from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    from xmc_keras.lightxml.lightxml import LightXML

    clusters = np.arange(128).reshape(8, 16).T  # 16 of 8 labels, some of 7
    clusters = np.where(clusters < LABELS, clusters, -1)
    generator = ClusterGenerator(clusters, 3, name="cluster_generator")
    ranker = DynamicCandidateRanker(
        generator.num_rows,
        8,
        mask_repeats=False,
        name="dynamic_candidate_ranker",
        **options,
    )
    encoder = make_encoder(dropout)
    return LightXML(encoder, generator, ranker, num_predictions=10, name="lightxml")


def one_vs_all(**options):
    from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead

    head = OneVsAllHead(LABELS, block_labels=50, name="one_vs_all_head", **options)
    return OneVsAll(make_encoder(), head, num_predictions=10, name="one_vs_all")


def lightdxml(shared=False):
    from xmc_keras.lightdxml.lightdxml import LightDXML

    return LightDXML(
        make_encoder(),
        LABELS,
        num_candidates=20,
        candidates_from="classifier",
        shared_negatives=shared,
        random_negatives=10 if shared else 0,
        num_predictions=10,
        name="lightdxml",
    )


def with_shortlist(batches):
    random = np.random.default_rng(1)
    shape = len(batches.tokens), 12
    return batches.with_shortlist(random.integers(0, LABELS, shape).astype("int32"))


def with_weights(batches):
    weights = np.random.default_rng(0).uniform(0.5, 2, len(batches.tokens))
    return batches.with_weights(weights)


def train(strategy, make, batches, validation, policy="float32", epochs=4, **options):
    """Trains a model from the same start; returns its state and its logs."""
    import keras

    from xmc_keras.metrics.precision_at_k import PrecisionAtK
    from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW
    from xmc_keras.training.loops.fit_epochs import fit_epochs

    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    with strategy.scope():
        model = make()
        optimizer = RowwiseAdamW(1e-3, multipliers={HEADS: 5.0}, **options)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model.compile(optimizer, metrics=[PrecisionAtK(k) for k in (1, 3)])
        model(next(batches.batches())[0])
        optimizer.build(model.trainable_variables)
    random = np.random.default_rng(7)
    for variable in model.trainable_variables:
        start = 0.1 * random.standard_normal(variable.shape)
        variable.assign(start + variable.path.endswith("gamma"))
    logs = {}

    class Log(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, found):
            for name, value in found.items():
                logs.setdefault(name, []).append(float(value))

    fit_epochs(model, batches, validation, [Log()], 0, epochs)
    state = [
        {v.path: np.array(v).astype("float32") for v in variables}
        for variables in (model.trainable_variables, optimizer.variables)
    ]
    return *state, logs


def compare(strategy, make, change=None, documents=48, validated=34, **options):
    """The largest differences between replicas and one process."""
    import tensorflow as tf

    batches, validation = make_batches(documents), make_batches(validated, False, 5)
    if change is not None:
        batches = change(batches)
    one, several = (
        train(each, make, batches, validation, **options)
        for each in (tf.distribute.get_strategy(), strategy)
    )
    found = {}
    for name, first, second in zip(("weights", "optimizer", "logs"), one, several):
        assert first.keys() == second.keys()
        found[name] = max(
            float(np.abs(np.subtract(first[key], second[key])).max()) for key in first
        )
    return found


# 48 documents are three batches of 16; of 33 the last batch has one document, and of
# 41 its parts have five and four. Four epochs are at least 12 steps.
CASES = {
    "lightxml": (lightxml, {}),
    "clipped": (lightxml, {"global_clipnorm": 0.05}),
    "partial": (lightxml, {"partial": TABLE}),
    "sgd": (lightxml, {"sgd": TABLE}),
    "dense": (lightxml, {"rowwise": []}),
    "one left": (lightxml, {"documents": 33, "validated": 33}),
    "odd": (lightxml, {"documents": 41, "validated": 41}),
    "weighted": (lightxml, {"documents": 33, "change": with_weights}),
    "one_vs_all": (one_vs_all, {"documents": 33, "rowwise": ["label_block"]}),
    "one_vs_all sgd": (one_vs_all, {"sgd": ["label_block"]}),
    "lightdxml": (lightdxml, {"change": with_shortlist, "rowwise": ["label_weights"]}),
    "shared negatives": (
        lambda: lightdxml(shared=True),
        {"change": with_shortlist, "rowwise": ["label_weights"]},
    ),
    "bfloat16": (
        lambda: lightxml(table_dtype="bfloat16"),
        {"policy": "mixed_bfloat16"},
    ),
    "one_vs_all bfloat16": (
        lambda: one_vs_all(table_dtype="bfloat16"),
        {"sgd": ["label_block"]},
    ),
}


def find_seeds(strategy):
    """The dropout seeds of this process: a list for each of its replicas."""
    from xmc_keras.ops.distribution.spread_seeds import SEED, spread_seeds

    with strategy.scope():
        model = lightxml(dropout=0.3)
        model(next(make_batches(16).batches())[0])
    spread_seeds(model)
    spread_seeds(model)  # as when training goes on
    variables = [v for v in model.non_trainable_variables if v.path.endswith(SEED)]
    parts = [strategy.experimental_local_results(v.value) for v in variables]
    return [[int(part[0]) for part in replica] for replica in zip(*parts)]


def main(kind, *names):
    from xmc_keras.ops.distribution.start_strategy import start_strategy

    strategy = start_strategy(kind)
    found = {}
    for name in names:
        if name == "seeds":
            found[name] = find_seeds(strategy)
            continue
        make, options = CASES[name]
        found[name] = compare(strategy, make, **options)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
