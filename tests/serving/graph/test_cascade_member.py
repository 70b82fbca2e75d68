"""A LightXML of several levels, exported."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers.answers import ask, check_rows, names_and_scores
from tests.helpers.served_cascade import NAMES, make_cascade
from tests.helpers.served_lightxml import make_model, tokens_of
from xmc_keras.serving.graph.serving_module import ServingModule

TEXTS = ["b", "m c d e f g h i j k l", "", "a", "x " * 3000]


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


@pytest.mark.large
def test_of_half_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_cascade()
    keras.config.set_dtype_policy("float32")
    plain = make_cascade()
    found = ask(ServingModule([model], 5), "serving_default", text=TEXTS)
    check_rows(names_and_scores(found), plain.recommend(TEXTS, 5))


@pytest.mark.large
def test_together_with_a_model_of_one_level():
    first, second = make_cascade(), make_model(5, list("usqp"), [[2, 0], [1, 3]])
    module = ServingModule([first, second], k=3)
    found = ask(module, "score", text=["a"], labels=[["s", "v"]])["scores"][0]
    s, v = scores_of(first, ["a"], [3, 6])[0]
    also_s = scores_of(second, ["a"], [1])[0, 0]
    np.testing.assert_allclose(found, [(s + also_s) / 2, v / 2], 1e-5)
