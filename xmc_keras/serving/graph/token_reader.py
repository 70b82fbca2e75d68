"""Reading texts as tokens in a ServingModule."""

import tensorflow as tf

from xmc_keras.text.text_tokenizer import TextTokenizer


class TokenReader:
    """Base class of members whose encoder reads tokens.

    It is not a trackable object: the module saves only its `weights` and the
    tokenizer's `resources`.

    Args:
        model: a model with a `tokenizer` and `max_tokens`.
    """

    def __init__(self, model):
        self.text_tokenizer = TextTokenizer(model.tokenizer, model.max_tokens)

    def read(self, text):
        return [self.text_tokenizer.ragged_ids(text)]

    def inputs(self, tokens, rows):
        """Encoder input of the given documents, padded to the longest."""
        ids = tf.gather(tokens[0], rows)
        mask = tf.sequence_mask(ids.row_lengths())
        ids = ids.to_tensor(self.text_tokenizer.pad_id)  # (block, tokens)
        return {"token_ids": ids, "padding_mask": mask}
