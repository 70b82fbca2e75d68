import gc
import json
import subprocess
import sys
import weakref

import pytest

from tests.helpers.project import PROJECT
from xmc_keras.serving.serve import hidden
from xmc_keras.serving.server.memory import free_unused_memory


def test_objects_that_refer_to_each_other_are_deleted():
    class Node:
        pass

    gc.disable()
    try:
        node = Node()
        node.itself = node
        reference = weakref.ref(node)
        del node
        assert reference() is not None
        free_unused_memory()
        assert reference() is None
    finally:
        gc.enable()


def test_hidden_packages(monkeypatch):
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with hidden("this", "json"):
        with pytest.raises(ModuleNotFoundError):
            import this  # noqa: F401
        assert sys.modules["json"] is json  # had been imported before
    assert "this" not in sys.modules


PROGRAM = """
import json, sys
from pathlib import Path
from xmc_keras.serving.serve import import_libraries
import_libraries()
import tensorflow as tf
from xmc_keras.serving.server.served_model import ServedModel

def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20

if len(sys.argv) > 2:
    module = tf.Module()
    module.table = tf.Variable(tf.ones([2**20, 24]))  # 96 MB
    text = tf.TensorSpec([None], tf.float32, "x")
    module.sum = tf.function(lambda x: {"y": x + tf.reduce_sum(module.table)}, [text])
    tf.saved_model.save(module, sys.argv[1], {"serving_default": module.sum})
    sys.exit()
found = [sorted({"keras", "matplotlib", "sklearn"} & set(sys.modules)), resident()]
for _ in range(3):
    model = ServedModel(sys.argv[1])
    model.predict({"x": [1.0]})
    found.append(resident())
    model.close()
    found.append(resident())
print(json.dumps(found))
"""


@pytest.mark.large  # starts TensorFlow twice
def test_a_closed_version_gives_back_its_memory(tmp_path):
    def run(*arguments):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), *arguments]
        return subprocess.run(command, cwd=PROJECT, stdout=-1, check=True).stdout

    run("write")
    packages, before, *loaded_and_closed = json.loads(run())
    assert packages == ["keras"]
    for loaded, closed in zip(loaded_and_closed[::2], loaded_and_closed[1::2]):
        assert 96 < loaded - before < 96 + 60  # it is held once
        assert closed - before < 40
