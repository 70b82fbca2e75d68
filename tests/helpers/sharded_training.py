"""Trainings with a sharded label table, compared with one process.

    python -m tests.helpers.sharded_training multi_worker lightxml lightxml-clip

Every worker trains the same model by itself as well, with whole batches, and prints one
line of JSON for each case: the largest differences.
"""

import json
import os
import sys
import tempfile

import numpy as np

LABELS, CLUSTERS, WORDS = 30, 7, 40  # clusters of 5 labels; not a multiple of two
BATCH, DOCUMENTS = 8, 41  # the last batch is smaller than two workers
EPOCHS = 2
TABLE = "label_embeddings|label_block"


def make_batches(documents=DOCUMENTS, seed=0, **options):
    from scipy.sparse import csr_matrix

    from xmc_keras.data.document_batches import DocumentBatches
    from xmc_keras.data.token_cache import TokenCache

    random = np.random.default_rng(seed)
    ends = np.concatenate([[0], np.cumsum(random.integers(3, 20, documents))])
    tokens = TokenCache(random.integers(5, WORDS, ends[-1]).astype("int32"), ends)
    # Between one and six labels each: label ids have other widths on each replica.
    counts = random.integers(1, 7, documents)
    rows = np.repeat(np.arange(documents), counts)
    columns = (random.zipf(1.3, len(rows)) - 1) % LABELS
    labels = csr_matrix((np.ones(len(rows)), (rows, columns)), (documents, LABELS))
    labels.data[:] = 1
    return DocumentBatches(tokens, labels, BATCH, pad_id=0, **options)


def make_lightxml(sharded, table_dtype="float32", levels=None):
    from tests.helpers.tiny_lightxml import MeanEncoder
    from xmc_keras.lightxml.build import build_heads
    from xmc_keras.lightxml.lightxml import LightXML

    size = -(-LABELS // CLUSTERS)
    clusters = np.arange(CLUSTERS * size).reshape(size, CLUSTERS).T
    generator, levels, ranker = build_heads(
        np.where(clusters < LABELS, clusters, -1),
        top_k=2,
        num_predictions=6,
        one_label=False,
        levels=levels,
        bottleneck_dim=6,
        table_dtype=table_dtype,
        sharded=sharded,
    )
    return LightXML(
        MeanEncoder(name="encoder"),
        generator,
        ranker,
        levels=levels,
        num_predictions=6,
        name="lightxml",
    )


def make_one_vs_all(sharded, table_dtype="float32", block_labels=13, labels=LABELS):
    from tests.helpers.tiny_lightxml import MeanEncoder
    from xmc_keras.one_vs_all.one_vs_all import OneVsAll
    from xmc_keras.one_vs_all.one_vs_all_head import OneVsAllHead

    head = OneVsAllHead(
        labels,
        block_labels,
        bottleneck_dim=6,
        table_dtype=table_dtype,
        sharded=sharded,
        name="one_vs_all_head",
    )
    return OneVsAll(
        MeanEncoder(name="encoder"), head, num_predictions=6, name="one_vs_all"
    )


def prepare(strategy, make, sharded, batches, options):
    """A model that is compiled and built, with weights that depend on their path."""
    import keras

    from xmc_keras.metrics.precision_at_k import PrecisionAtK
    from xmc_keras.ops.distribution.sharded_table import assign_whole, whole_shape
    from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = make(sharded)
        optimizer = RowwiseAdamW(1e-2, **{"rowwise": [TABLE], **options})
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        model.compile(optimizer, metrics=[PrecisionAtK(1), PrecisionAtK(3)])
        inputs = next(batches.batches(0))[0]
        model.build({name: values.shape for name, values in inputs.items()})
        optimizer.build(model.trainable_variables)
    random = np.random.default_rng(7)
    for variable in model.trainable_variables:
        values = 0.3 * random.standard_normal(whole_shape(variable))
        assign_whole(variable, values.astype("float32"))
    return model


def train(model, batches, validation):
    """Trains the model; returns the logs of each epoch."""
    import keras

    from xmc_keras.training.loops.fit_epochs import fit_epochs

    logs = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, found: logs.append(dict(found))
    )
    fit_epochs(model, batches, validation, [keep], 0, EPOCHS)
    return logs


def rank(model, batches):
    """Predictions of the replicas within a step: label ids and scores of all."""
    import tensorflow as tf

    strategy = model.distribute_strategy
    dataset, steps = batches.replica_dataset(strategy)

    def on_replica(x, y):
        found = model(x, training=False)
        return found["predicted_ids"], found["scores"]

    run = tf.function(lambda batch: strategy.run(on_replica, args=batch))
    found = []
    for _, batch in zip(range(steps), dataset):
        parts = [strategy.gather(part, axis=0).numpy() for part in run(batch)]
        found.append(parts)
    return [np.concatenate(parts) for parts in zip(*found)]


def compare(strategy, make, policy="float32", weights=False, options=None):
    """Largest differences between both trainings, a dictionary."""
    import keras
    import tensorflow as tf

    from xmc_keras.ops.distribution.sharded_table import is_sharded, read_whole
    from xmc_keras.recommending.whole_model import whole_model

    keras.config.set_dtype_policy(policy)
    batches = make_batches(shuffle=True, seed=3)
    validation = make_batches(33, seed=5, shuffle=False)
    if weights:
        weight = np.random.default_rng(0).uniform(0.5, 2, DOCUMENTS)
        batches = batches.with_weights(weight)
    options = options or {}
    one = prepare(tf.distribute.get_strategy(), make, False, batches, options)
    many = prepare(strategy, make, True, batches, options)
    assert any(map(is_sharded, many.trainable_variables))
    logs = [train(model, batches, validation) for model in (one, many)]
    found = {"logs": 0.0, "weights": 0.0, "moments": 0.0}
    for own, other in zip(*logs):
        assert own.keys() == other.keys()
        for name in own:
            if name.startswith("val_"):
                difference = abs(own[name] - other[name]) / max(1, abs(own[name]))
                found["logs"] = max(found["logs"], difference)
    for part, own, other in (
        ("weights", one.trainable_variables, many.trainable_variables),
        ("moments", one.optimizer.variables, many.optimizer.variables),
    ):
        assert [v.path for v in own] == [v.path for v in other]
        for u, v in zip(own, other):
            difference = np.float32(read_whole(v, everywhere=True)) - np.float32(u)
            found[part] = max(found[part], float(np.abs(difference).max()))
    whole = whole_model(many, everywhere=True)
    expected = one.predict(validation.dataset(), verbose=0)
    ids, scores = rank(many, validation)
    predicted = whole.predict(validation.dataset(), verbose=0)
    for name, of_ids, of_scores in (
        ("sharded", ids, scores),
        ("whole", predicted["predicted_ids"], predicted["scores"]),
    ):
        found[f"other {name} ids"] = int((of_ids != expected["predicted_ids"]).sum())
        found[f"{name} scores"] = float(np.abs(of_scores - expected["scores"]).max())
    return found


def check_tables(strategy):
    """Checks the functions of a sharded table; an empty dictionary."""
    import keras
    import pytest
    import tensorflow as tf

    from xmc_keras import BadInput
    from xmc_keras.lightxml.dynamic_candidate_ranker import DynamicCandidateRanker
    from xmc_keras.ops.distribution import sharded_table as tables
    from xmc_keras.recommending.whole_model import whole_model
    from xmc_keras.training.loops.warm_start import start_lightxml

    replicas = strategy.num_replicas_in_sync
    keras.utils.set_random_seed(1)
    with strategy.scope():
        ranker = DynamicCandidateRanker(35, 4, shard_rows=5)
        ranker.build((None, 8), (None, None))
        with pytest.raises(BadInput, match="at most as many replicas as clusters"):
            DynamicCandidateRanker(5, 4, shard_rows=5)
    table = ranker.label_embeddings
    assert (
        ranker.get_config()
        == DynamicCandidateRanker.from_config(ranker.get_config()).get_config()
    )
    # Every row has numbers of its own, within the limits of a whole table.
    whole = tables.read_whole(table, everywhere=True)
    assert len(np.unique(whole)) == whole.size == 140
    limit = np.sqrt(6 / (35 + 4))
    assert 0.8 * limit < np.abs(whole).max() <= limit
    is_chief = 0 in [replica for replica, _ in tables.local_shards(table)]
    assert (tables.read_whole(table) is None) == (not is_chief)
    # Parts of a table that is read are small.
    part, tables.PART = tables.PART, 4 * replicas * 3
    np.testing.assert_array_equal(tables.read_whole(table, everywhere=True), whole)
    tables.PART = part
    other = np.random.default_rng(0).normal(size=whole.shape).astype("float32")
    tables.assign_whole(table, other)
    np.testing.assert_array_equal(tables.read_whole(table, everywhere=True), other)
    held = tables.read_local(table)
    ids = np.array([0, 34, 7, 12])
    tables.assign_rows(table, ids, whole[ids])
    other[ids] = whole[ids]
    np.testing.assert_array_equal(tables.read_whole(table, everywhere=True), other)
    tables.assign_local(table, held)
    np.testing.assert_array_equal(tables.read_local(table), held)
    with pytest.raises(ValueError, match="Expected a table of shape"):
        tables.assign_whole(table, other[1:])

    model = prepare(strategy, make_lightxml, True, make_batches(shuffle=False), {})
    inputs = next(make_batches(shuffle=False).batches(0))[0]
    with (
        strategy.scope(),
        pytest.raises(BadInput, match="at most as many replicas as rows"),
    ):
        make_one_vs_all(True, block_labels=None, labels=1)
    with pytest.raises(ValueError, match="within a step of its strategy"):
        model(inputs)
    with pytest.raises(ValueError, match="`whole_model`"):
        model.predict(inputs, verbose=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.raises(ValueError, match="`whole_model`"),
    ):
        model.save(f"{folder}/model.keras")
    # The weights of an earlier model.
    values = np.random.default_rng(9).normal(size=(35, 6)).astype("float32")
    tables.assign_whole(model.ranker.label_embeddings, values)
    earlier = whole_model(model, everywhere=True)
    again = prepare(strategy, make_lightxml, True, make_batches(shuffle=False), {})
    assert start_lightxml(again, earlier)
    taken = tables.read_whole(again.ranker.label_embeddings, everywhere=True)
    np.testing.assert_array_equal(taken, values)
    # Given a pool, it scores what it scores without.
    pool, places = np.array([3, 8, 20]), np.array([[2, 0, -1], [1, 1, 2]])

    def both():
        features = tf.ones((2, 8))
        rows = np.where(places < 0, -1, pool[places])
        return ranker(features, pool, places), ranker(features, rows)

    pooled, plain = strategy.run(tf.function(both))
    results = strategy.experimental_local_results
    for a, b in zip(results(pooled), results(plain)):
        np.testing.assert_array_equal(a.numpy()[0], b.numpy()[0])
        assert a.numpy()[1, 1] < -1e8  # a repeat
    return {}


CASES = {
    "": {},
    "partial": {"options": {"partial": [TABLE]}},
    "sgd": {"options": {"sgd": [TABLE]}},
    "momentum": {"options": {"sgd": [TABLE], "momentum": 0.9}},
    "dense": {"options": {"rowwise": []}},
    "clip": {"options": {"global_clipnorm": 0.05}},
    "clip_each": {"options": {"clipnorm": 0.05}},
    "weights": {"weights": True},
}


def run_case(strategy, name):
    kind, _, case = name.partition("-")
    if kind == "tables":
        return check_tables(strategy)
    make = {"lightxml": make_lightxml, "one_vs_all": make_one_vs_all}[kind]
    if case == "levels":
        return compare(strategy, lambda sharded: make(sharded, levels=[4]))
    if case == "few":  # the last block has fewer labels than replicas
        return compare(strategy, lambda sharded: make(sharded, block_labels=29))
    if case == "bfloat16":
        return compare(
            strategy, lambda sharded: make(sharded, "bfloat16"), "mixed_bfloat16"
        )
    return compare(strategy, make, **CASES[case])


def main(distribute, *names):
    from xmc_keras.ops.distribution.start_strategy import start_strategy

    strategy = start_strategy(distribute)
    for name in names:
        found = run_case(strategy, name)
        sys.stdout.write(json.dumps({"case": name, **found}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
    os._exit(0)  # without waiting for other workers
