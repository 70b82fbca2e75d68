import types

import keras_nlp
import numpy as np
import scipy.sparse

from xmc_keras.config.config import Config
from xmc_keras.data.inputs import build_training_inputs

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sea", "sky"]


def test_a_warning_where_most_texts_are_cut(caplog):
    model = types.SimpleNamespace(
        tokenizer=keras_nlp.models.BertTokenizer(VOCABULARY),
        encoder=types.SimpleNamespace(weights=[np.zeros((2, 3))]),
    )
    labels = scipy.sparse.csr_matrix([[1.0]] * 3)
    # Two special tokens and a word each.
    for texts, warned in (
        (["sea sky sea sky", "sky sea sky", "sea"], True),
        (["sea sky sea sky", "sky", "sea"], False),
    ):
        caplog.clear()
        config = Config(encoder="minilm", max_tokens=5)
        build_training_inputs(config, model, texts, labels, None)
        found = "2 of 3 documents reach max_tokens, 5" in caplog.text
        assert found == warned and bool(caplog.records) == warned
