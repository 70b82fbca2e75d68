"""SentencePiece vocabularies, with what is done to a text before."""

import functools
import sys
import unicodedata

import tensorflow as tf
import tensorflow_text as tf_text
from keras_nlp.models import AlbertTokenizer, XLMRobertaTokenizer

from xmc_keras.ops.keras_internals import sentence_piece, sentence_piece_resource
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

# What Python's `str.split` parts words at.
SPACES = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class SentencePieces:
    """Splits texts with a SentencePiece model, in a graph.

    What stands in the model's file is done by its own code. XLNet and ALBERT do more:
    white space of any kind becomes one space, quotes made of two characters become one,
    accents are stripped, and pieces like "9," are not used. A vocabulary without upper
    case gets lower case.

    Args:
        tokenizer: a keras-nlp tokenizer with a SentencePiece model.
        strip_accents: optional boolean. None is as of the model's kind.

    Attributes:
        lowercase, strip_accents: boolean.
        tokenizer: a keras-nlp tokenizer that only splits and looks up.
        resources: list of what a module must hold so that its graphs with the model
            can be saved.

    Source: `prepro_utils.py` of zihangdai/xlnet; "9," as in
    `convert_slow_tokenizer.py` of huggingface/transformers.
    """

    def __init__(self, tokenizer, strip_accents=None):
        self._like_xlnet = isinstance(tokenizer, (XLNetTokenizer, AlbertTokenizer))
        if strip_accents is None:
            strip_accents = self._like_xlnet
        self.strip_accents = strip_accents
        self.lowercase = _is_uncased(tokenizer)
        if self._like_xlnet:
            tokenizer = _without_number_commas(tokenizer)
        self.tokenizer = tokenizer
        self.resources = [sentence_piece_resource(tokenizer)]

    def normalise(self, texts):
        """From valid UTF-8 (documents,) to what the model reads."""
        if self._like_xlnet:
            texts = tf.strings.regex_replace(texts, f"[{SPACES}]+", " ")
            texts = tf.strings.regex_replace(texts, "``|''", '"')
        if self.strip_accents:
            texts = tf_text.normalize_utf8(texts, "NFKD")
            texts = tf.strings.regex_replace(texts, f"[{_combining()}]+", "")
        if self.lowercase:
            # ASCII first, because lower case beyond ASCII follows the locale.
            texts = tf.strings.lower(tf.strings.lower(texts), encoding="utf-8")
        return texts

    def __call__(self, texts, most):
        """Ids of normalised texts, `tf.RaggedTensor` (documents, None), `most` each."""
        ids = sentence_piece(self.tokenizer).tokenize(texts)
        if isinstance(self.tokenizer, XLMRobertaTokenizer):
            # Its ids are fairseq's: one more, with <unk> elsewhere. keras-nlp compares
            # ragged tensors for it, which makes a graph with assertions.
            values = ids.flat_values
            unknown = self.tokenizer.unk_token_id
            ids = ids.with_flat_values(tf.where(values == 0, unknown, values + 1))
        return tf.cast(ids, tf.int32)[:, :most]


@functools.cache
def _combining():
    """All characters that combine with the one before, for a regular expression."""
    found = [c for c in map(chr, range(sys.maxunicode)) if unicodedata.combining(c)]
    return "".join(found)


def _is_uncased(tokenizer):
    words = [word for word in tokenizer.get_vocabulary() if word[:1] not in "[<"]
    return words == [word.lower() for word in words]


def _without_number_commas(tokenizer):
    """A copy whose model takes pieces like "9," as the worst choice there is."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(tokenizer.proto)
    for piece in model.pieces:
        if piece.piece[-1:] == "," and piece.piece[-2:-1].isdigit():
            piece.score -= 100
    config = {**tokenizer.get_config(), "proto": model.SerializeToString()}
    return type(tokenizer).from_config(config)
