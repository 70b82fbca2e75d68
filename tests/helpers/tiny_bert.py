"""The smallest BERT: two layers of four, over 40 tokens."""

import keras
import keras_nlp

SIZES = {
    "vocabulary_size": 40,
    "num_layers": 2,
    "num_heads": 2,
    "hidden_dim": 4,
    "intermediate_dim": 8,
    "dropout": 0.0,
}
LONG = {**SIZES, "max_sequence_length": 16}


def tiny_bert(seed=0, **sizes):
    """A `BertBackbone` of `LONG`, except for `sizes`, with weights of the seed."""
    keras.utils.set_random_seed(seed)
    return keras_nlp.models.BertBackbone(**{**LONG, **sizes})
