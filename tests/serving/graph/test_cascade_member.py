"""A LightXML of several levels, exported."""

import keras
import keras_nlp
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_lightxml import WORDS, make_model, tokens_of
from tests.helpers.tiny_bert import tiny_bert
from xmc_keras.config.config import Config
from xmc_keras.data.documents import Documents
from xmc_keras.evaluation.report.run_predictions import predict_documents
from xmc_keras.lightxml.build import build_model
from xmc_keras.serving.graph.serving_module import ServingModule

TEXTS = ["b", "Á c d e f g h i j k l", "", "a", "x " * 3000]
NAMES = list("pqrstuvwxyz")
CLUSTERS = [[3, 0], [1, 4], [2, 5], [7, 6], [8, -1], [10, 9]]
CONFIG = Config(
    encoder="none",
    max_leaf=2,
    top_k=3,
    levels=[2, 4],
    level_top_k=[1, 2],
    level_layers=[1, [1, 2], 2, 2],
    max_tokens=8,
    bottleneck_dim=4,
    num_predictions=5,
)


def make_cascade(seed=0):
    backbone = tiny_bert(seed, vocabulary_size=len(WORDS))
    table = backbone.token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, seed=seed))
    tokenizer = keras_nlp.models.BertTokenizer(WORDS)
    model = build_model(CONFIG, backbone, tokenizer, CLUSTERS, NAMES)
    model(tokens_of(model, ["a"]))
    rng = np.random.default_rng(seed)
    for head in (model.generator, *model.levels, model.ranker):
        for weight in head.trainable_weights:
            weight.assign(rng.normal(size=weight.shape))
    return model


def scores_of(model, texts, ids):
    features = model.encoder(tokens_of(model, texts))
    ids = np.tile(np.array(ids, "int32"), (len(texts), 1))
    return model.score_labels(tf.constant(ids), features).numpy()


def test_answers_are_those_of_the_model(tmp_path):
    model = make_cascade()
    module = ServingModule([model], k=3)
    tf.saved_model.save(module, str(tmp_path), module.signatures())
    loaded = tf.saved_model.load(str(tmp_path))
    answer = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    answer = {name: value.numpy() for name, value in answer.items()}
    check_rows(names_and_scores(answer), model.recommend(TEXTS, 3))
    # Two of four, three of their clusters, of one or two labels.
    assert module.most_labels == 5
    assert ask(module, "embed", text=TEXTS)["embedding"].shape == (len(TEXTS), 20)
    expected = scores_of(model, TEXTS, range(len(NAMES)))
    labels = np.tile(np.array(NAMES, object), (len(TEXTS), 1))
    found = ask(module, "score", text=TEXTS, labels=labels)["scores"]
    np.testing.assert_allclose(found, expected, 1e-4, 1e-6)


@pytest.mark.parametrize(
    "precisions", [("float16", "float32"), ("int8", "float32"), ("float32", "float16")]
)
def test_stored_in_fewer_bits(precisions):
    model = make_cascade()
    module = ServingModule([model], 5, *precisions)
    labels = np.tile(np.array(NAMES, object), (len(TEXTS), 1))
    scores = [
        ask(part, "score", text=TEXTS, labels=labels)["scores"]
        for part in (module, ServingModule([model], 5))
    ]
    np.testing.assert_allclose(*scores, atol=0.03)
    dtypes = {weight.dtype.name for weight in module.weights}
    assert dtypes == {"float32", "int64", *precisions}
    # Cluster tables route a document, as the generator does, and stay as they are.
    narrow = sum(weight.dtype == precisions[0] for weight in module.weights)
    assert precisions[0] == "float32" or narrow == 1


def test_of_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_cascade()
    keras.config.set_dtype_policy("float32")
    plain = make_cascade()
    found = ask(ServingModule([model], 5), "serving_default", text=TEXTS)
    check_rows(names_and_scores(found), plain.recommend(TEXTS, 5))


def test_together_with_a_model_of_one_level():
    first, second = make_cascade(), make_model(5, list("usqp"), [[2, 0], [1, 3]])
    module = ServingModule([first, second], k=3)
    found = ask(module, "score", text=["a"], labels=[["s", "v"]])["scores"][0]
    s, v = scores_of(first, ["a"], [3, 6])[0]
    also_s = scores_of(second, ["a"], [1])[0, 0]
    np.testing.assert_allclose(found, [(s + also_s) / 2, v / 2], 1e-5)


def test_a_report_ranks_the_coarsest_clusters():
    model = make_cascade()
    documents = Documents(TEXTS, [["p"], ["q", "w"], ["z"], ["s"], ["t"]])
    relevant = model.label_set.encode(documents.labels)
    found = predict_documents(model, documents, relevant)
    logits = model.rank(*model.encode(tokens_of(model, TEXTS)))["cluster_logits"]
    # Clusters 0 to 2 are in the first of two coarsest ones, 3 to 5 in the other.
    for document, label, rank in zip(*relevant.nonzero(), found.ranks):
        (cluster,) = [i for i, row in enumerate(CLUSTERS) if label in row]
        first = logits[document, 0] >= logits[document, 1]
        assert rank == (cluster < 3) ^ bool(first)
    assert (found.step, found.kept) == (8, 1)
