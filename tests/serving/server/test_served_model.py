import re
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from xmc_keras.serving.server.served_model import ServedModel
from xmc_keras.serving.server.serving_error import ServingError

TEXTS = ["a", "", "Ünïcödé 日本 \U0001f600", "nul \x00 byte", "long " * 1000, "a"]


def strings(*texts):
    return np.array([text.encode() for text in texts], object)


@pytest.fixture(scope="module")
def model(golden_model):
    return golden_model


@pytest.fixture(scope="module")
def eager(golden_version):
    """The golden model, loaded by `tf.saved_model.load`."""
    return tf.saved_model.load(str(golden_version))


class Constant(tf.Module):
    """Returns a number from a variable, and line numbers of words in a file."""

    def __init__(self, number, size, words):
        self.numbers = tf.Variable(tf.fill([size], float(number)))
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(words),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=-1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def say(self, word):
        return {
            "line": self.table.lookup(word),
            "number": tf.zeros(tf.shape(word)) + self.numbers[0],
        }


@pytest.fixture
def constant(tmp_path):
    def write(name, number, size=1):
        words = tmp_path / "words.txt"
        words.write_text("zero\none\ntwo\n")
        module = Constant(number, size, words)
        signatures = {"serving_default": module.say}
        tf.saved_model.save(module, str(tmp_path / name), signatures)
        words.unlink()  # the SavedModel has its own copy
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", ["serving_default", "serve", "top_k", "labels_only"])
@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], []], ids=len)
def test_outputs_are_those_of_the_eager_model(eager, model, name, texts):
    more = {"k": np.int32(3)} if name == "top_k" else {}
    found = model.predict({"text": strings(*texts), **more}, name)
    expected = eager.signatures[name](text=tf.constant(texts, tf.string), **more)
    assert set(found) == set(expected)
    for key, value in expected.items():
        assert found[key].shape == value.shape
        np.testing.assert_array_equal(found[key], value.numpy())


def test_signatures(model):
    names = {"serving_default", "serve", "top_k", "labels_only"}
    assert set(model.signatures) == names
    assert (
        model.signature("") == model.signature() == model.signatures["serving_default"]
    )
    assert set(model.signature("top_k").inputs) == {"text", "k"}
    for name in ("nope", "__saved_model_init_op"):
        with pytest.raises(ServingError) as caught:
            model.predict({"text": strings("a")}, name)
        assert caught.value.code == "FAILED_PRECONDITION"
        assert caught.value.message == f'Serving signature key "{name}" not found.'


@pytest.mark.parametrize(
    ("text", "k"),
    [(np.array([[b"a"]], object), 2), (np.array(b"a", object), 2), (strings("a"), -1)],
    ids=["rank 2", "rank 0", "negative k"],
)
def test_inputs_that_the_graph_refuses(model, text, k):
    with pytest.raises(ServingError) as caught:
        model.predict({"text": text, "k": np.int32(k)}, "top_k")
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.message
    assert not re.search("stack trace|Traceback", caught.value.message)
    # The model still works.
    assert model.predict({"text": strings("a")})["scores"].shape == (1, 5)


def test_calls_from_many_threads(model):
    expected = model.predict({"text": strings(*TEXTS)})["scores"]
    wrong = []

    def ask(i):
        for j in range(30):
            row = (i + j) % len(TEXTS)
            found = model.predict({"text": strings(TEXTS[row])})["scores"][0]
            if not np.array_equal(found, expected[row]):
                wrong.append((TEXTS[row], found))

    threads = [threading.Thread(target=ask, args=[i]) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_two_versions_do_not_share_their_variables(constant):
    one, two = ServedModel(constant("1", 1)), ServedModel(constant("2", 2))
    word = {"word": strings("two", "none")}
    for model, number in ((one, 1), (two, 2), (one, 1)):
        found = model.predict(word)
        assert found["number"].tolist() == [number, number]
        assert found["line"].tolist() == [2, -1]
    one.close()
    assert two.predict(word)["number"].tolist() == [2, 2]
    two.close()


@pytest.mark.large
def test_close_gives_the_memory_back(constant):
    def resident():
        status = Path("/proc/self/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) / 1024

    folder, megabytes = constant("1", 1, size=12 * 2**20), 48
    before = resident()
    for _ in range(4):
        model = ServedModel(folder)
        model.predict({"word": strings("two")})
        model.close()
        del model
    # Freed memory is reused, though it need not return to the system.
    assert resident() - before < 2.5 * megabytes


@pytest.mark.parametrize("spoiled", ["saved_model.pb", "variables/variables.index"])
def test_a_folder_that_does_not_load(constant, spoiled):
    folder = constant("1", 1)
    for action in (lambda path: path.write_bytes(b"\xff junk"), Path.unlink):
        action(folder / spoiled)
        with pytest.raises(Exception, match="."):
            ServedModel(folder)
