"""One version of a SavedModel, loaded and ready to predict."""

import copy
import functools
from pathlib import Path

import tensorflow as tf
import tensorflow_text  # noqa: F401 (registers the ops of the tokenizer)
from tensorflow.core.protobuf import saved_model_pb2

from xmc_keras.ops.log_level import apply_log_level
from xmc_keras.serving.server.label_search import LabelSearch
from xmc_keras.serving.server.memory import free_unused_memory
from xmc_keras.serving.server.serving_error import ServingError

apply_log_level()  # a session writes notices about its graph

DEFAULT_SIGNATURE = "serving_default"
CODES = {
    code: name
    for name, code in vars(tf.errors).items()
    if name.isupper() and isinstance(code, int)
}


class ServedModel:
    """A SavedModel in its own session, as TensorFlow Serving runs it.

    It uses a session instead of `tf.saved_model.load`. A session runs no Python for
    each function of the graph, so a new version loads without delaying requests to
    the old one, and `close` frees its memory.

    Args:
        path: string or path. Folder of the version.

    Attributes:
        path: `Path` of the folder.
        signatures: dictionary of name to `SignatureDef`.

    Raises:
        ServingError: the SavedModel has no graph for serving.
        Exception: any error of TensorFlow for a folder that it cannot load.
    """

    def __init__(self, path):
        self.path = Path(path)
        saved_model = saved_model_pb2.SavedModel()
        saved_model.ParseFromString((self.path / "saved_model.pb").read_bytes())
        signatures = [
            graph.signature_def
            for graph in saved_model.meta_graphs
            if list(graph.meta_info_def.tags) == [tf.saved_model.SERVING]
        ]
        if not signatures:
            raise ServingError(
                "NOT_FOUND",
                "Could not find meta graph def matching supplied tags: { serve }",
            )
        # Copies, because a part of a message keeps all of it, with the graph.
        self.signatures = {
            name: copy.deepcopy(signature)
            for name, signature in signatures[0].items()
            if not name.startswith("__")
        }
        del saved_model, signatures
        config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
        # Rewriting the graph of each signature would take most of the first calls and
        # makes later ones no faster; export/serving/session.config says the same.
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.gpu_options.allow_growth = True  # otherwise it reserves the whole GPU
        self._session = tf.compat.v1.Session(graph=tf.Graph(), config=config)
        try:
            tf.compat.v1.saved_model.load(
                self._session, [tf.saved_model.SERVING], str(path)
            )
            self._callables = {
                name: self._session.make_callable(
                    [info.name for info in signature.outputs.values()],
                    [info.name for info in signature.inputs.values()],
                )
                for name, signature in self.signatures.items()
            }
        except Exception:
            self._session.close()
            raise
        finally:
            free_unused_memory()

    def signature(self, name=DEFAULT_SIGNATURE):
        """The `SignatureDef` of a name; `""` stands for `serving_default`."""
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(
                "FAILED_PRECONDITION", f'Serving signature key "{name}" not found.'
            )
        return self.signatures[name]

    @functools.cached_property
    def label_search(self):
        """`LabelSearch` of the version, read when it is first asked for."""
        return LabelSearch.read(self.path)

    def predict(self, inputs, name=DEFAULT_SIGNATURE):
        """Runs a signature.

        Args:
            inputs: dictionary of all inputs of the signature as NumPy arrays; strings
                are arrays of bytes objects.
            name: string. The signature. Defaults to `"serving_default"`.

        Returns:
            Dictionary of the signature's outputs, NumPy arrays in the same form.

        Raises:
            ServingError: there is no such signature, or the graph rejects the inputs.
        """
        signature = self.signature(name)
        run = self._callables[name or DEFAULT_SIGNATURE]
        try:
            found = run(*[inputs[key] for key in signature.inputs])
        except tf.errors.OpError as error:
            raise serving_error(error) from None
        except (TypeError, ValueError) as error:  # the session's own checks
            raise ServingError("INVALID_ARGUMENT", str(error)) from None
        return dict(zip(signature.outputs, found))

    def close(self):
        """Frees the memory. No call may be in progress."""
        self._session.close()
        self._session = self._callables = None
        free_unused_memory()


def serving_error(error):
    """Converts a `tf.errors.OpError`, without what Python adds to its message."""
    message = error.message.removeprefix("Graph execution error:\n\n")
    message = message.split("\n\nOriginal stack trace")[0]
    return ServingError(CODES.get(error.error_code, "UNKNOWN"), message)
