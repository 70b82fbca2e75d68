"""Documents with labels and shortlists, and a LightDXML model for them."""

import keras
import numpy as np

from xmc_keras.encoders.sparse_text_encoder import SparseTextEncoder
from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.metrics.precision_at_k import PrecisionAtK
from xmc_keras.optimizers.rowwise_adamw import RowwiseAdamW

NUM_FEATURES, NUM_LABELS, DIM = 20, 12, 4
RNG = np.random.default_rng(0)
IDS = np.stack([RNG.permutation(NUM_FEATURES)[:5] for _ in range(10)]).astype("int32")
IDS[::3, 3:] = -1
INPUTS = {
    "token_ids": IDS,
    "token_weights": RNG.uniform(0.2, 0.7, IDS.shape).astype("float32"),
}
ROWS = np.stack([RNG.permutation(NUM_LABELS)[:8] for _ in IDS])
LABELS = np.where(np.arange(3) < RNG.integers(1, 4, (10, 1)), ROWS[:, :3], -1)
SHORTLIST = ROWS[:, 3:].astype("int32")
SHORTLIST[1, 2] = SHORTLIST[4, 0] = -1
WORD_GAINS = RNG.uniform(0.5, 2, NUM_FEATURES)


def make_model(**arguments):
    keras.utils.set_random_seed(0)
    encoder = SparseTextEncoder(NUM_FEATURES, DIM, dropout=0.0)
    arguments = {"num_candidates": 7, "num_predictions": 5, **arguments}
    model = LightDXML(encoder, NUM_LABELS, **arguments)
    model.build({name: x.shape for name, x in INPUTS.items()})
    rng = np.random.default_rng(1)
    # Around one, so that the relu leaves each document a direction.
    model.encoder.token_embeddings.assign(rng.normal(1, 1, (NUM_FEATURES, DIM)))
    model.classifier.label_weights.assign(rng.normal(size=(NUM_LABELS, DIM)))
    model.refresh(rng.normal(size=(NUM_LABELS, DIM)).astype("float32"))
    model.compile(RowwiseAdamW(0.05), metrics=[PrecisionAtK(1), PrecisionAtK(3)])
    return model
