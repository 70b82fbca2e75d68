"""Runs a SavedModel through TensorFlow's C API, without TensorFlow's Python code.

    python c_api_client.py TENSORFLOW TENSORFLOW_TEXT VERSION ENDPOINTS TEXT...

The first three are folders. ENDPOINTS is a JSON object from `text`, `labels` and
`scores` to tensor names.

Prints a JSON object with the labels and scores of `serving_default`.
"""

import ctypes
import json
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p

STRING = 7  # TF_DataType
STRING_BYTES = 24  # size of a TF_TString
TEXT_OPS = "_fast_wordpiece_tokenizer", "_normalize_ops", "_regex_split_ops"


class Output(ctypes.Structure):
    _fields_ = [("operation", c_void_p), ("index", c_int)]


def load(folder):
    ctypes.CDLL(f"{folder}/libtensorflow_framework.so.2", ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2", ctypes.RTLD_GLOBAL)
    for name in (
        "TF_NewStatus TF_NewGraph TF_NewSessionOptions TF_LoadLibrary TF_AllocateTensor"
        " TF_LoadSessionFromSavedModel TF_TensorData TF_GraphOperationByName"
        " TF_StringGetDataPointer"
    ).split():
        getattr(library, name).restype = c_void_p
    library.TF_Message.restype = c_char_p
    library.TF_Dim.restype = c_int64
    library.TF_StringGetSize.restype = c_size_t
    return library


def main(folder, text_folder, version_folder, endpoints, texts):
    tf = load(folder)
    status = c_void_p(tf.TF_NewStatus())

    def check():
        if tf.TF_GetCode(status):
            sys.exit(tf.TF_Message(status).decode())

    for name in TEXT_OPS:
        tf.TF_LoadLibrary(f"{text_folder}/python/ops/{name}.so".encode(), status)
        check()
    graph, options = c_void_p(tf.TF_NewGraph()), c_void_p(tf.TF_NewSessionOptions())
    session = c_void_p(
        tf.TF_LoadSessionFromSavedModel(
            options,
            None,
            version_folder.encode(),
            (c_char_p * 1)(b"serve"),
            1,
            graph,
            None,
            status,
        )
    )
    check()

    def output(endpoint):
        name, index = endpoint.split(":")
        operation = tf.TF_GraphOperationByName(graph, name.encode())
        return Output(operation, int(index))

    feed = c_void_p(
        tf.TF_AllocateTensor(
            STRING,
            (c_int64 * 1)(len(texts)),
            1,
            c_size_t(STRING_BYTES * len(texts)),
        )
    )
    data = tf.TF_TensorData(feed)
    for i, text in enumerate(texts):
        place = c_void_p(data + STRING_BYTES * i)
        tf.TF_StringInit(place)
        tf.TF_StringCopy(place, c_char_p(text), c_size_t(len(text)))
    found = (c_void_p * 2)()
    tf.TF_SessionRun(
        session,
        None,
        (Output * 1)(output(endpoints["text"])),
        (c_void_p * 1)(feed),
        1,
        (Output * 2)(output(endpoints["labels"]), output(endpoints["scores"])),
        found,
        2,
        None,
        0,
        None,
        status,
    )
    check()
    labels, scores = map(c_void_p, found)
    n, k = tf.TF_Dim(labels, 0), tf.TF_Dim(labels, 1)
    strings = tf.TF_TensorData(labels)
    names = []
    for i in range(n * k):
        place = c_void_p(strings + STRING_BYTES * i)
        pointer, size = tf.TF_StringGetDataPointer(place), tf.TF_StringGetSize(place)
        names.append(ctypes.string_at(pointer, size).decode())
    values = ctypes.cast(tf.TF_TensorData(scores), POINTER(ctypes.c_float))[: n * k]
    tf.TF_CloseSession(session, status)
    answer = {
        "labels": [names[i * k : i * k + k] for i in range(n)],
        "scores": [values[i * k : i * k + k] for i in range(n)],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:4], json.loads(sys.argv[4]), [t.encode() for t in sys.argv[5:]])
