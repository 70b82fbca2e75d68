"""Time of an exported model for a document: `VERSION_FOLDER DATA_FOLDER`.

Prints JSON: `ms_a_document`, the milliseconds from text to label names in batches of
`BATCH` documents of the test part, of which the first `DOCUMENTS` are predicted. The
model is warm: all of these documents are predicted once before.
"""

import json
import os
import sys
import time

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from xmc_keras.data.documents import read_documents

BATCH = 64
DOCUMENTS = 2048


def time_documents(predict, texts):
    """Milliseconds a document of `predict`, which takes an array of encoded texts."""
    encoded = np.array([text.encode("utf-8") for text in texts], object)
    batches = [encoded[i : i + BATCH] for i in range(0, len(encoded), BATCH)]
    for _ in range(2):
        begun = time.perf_counter()
        for batch in batches:
            predict(batch)
        seconds = time.perf_counter() - begun
    return 1000 * seconds / len(encoded)


def main(version, data):
    from xmc_keras.serving.server.served_model import ServedModel

    texts = read_documents(data, "test", skip_bad_lines=True).texts[:DOCUMENTS]
    model = ServedModel(version)
    found = time_documents(lambda batch: model.predict({"text": batch}), texts)
    model.close()
    print(json.dumps({"ms_a_document": round(found, 3)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
