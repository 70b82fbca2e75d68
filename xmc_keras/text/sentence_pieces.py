"""SentencePiece tokenization with its normalisation, in a graph."""

import functools
import sys
import unicodedata

import tensorflow as tf
import tensorflow_text as tf_text
from keras_nlp.models import AlbertTokenizer, XLMRobertaTokenizer

from xmc_keras.ops.keras_internals import sentence_piece, sentence_piece_resource
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

# White space of Python's `str.split`.
SPACES = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class SentencePieces:
    """Splits texts with a SentencePiece model, in a graph.

    SentencePiece itself applies the rules stored in the model file. XLNet and ALBERT
    need more: runs of white space become one space, quotes of two characters become
    `"`, accents are stripped, and pieces like "9," are avoided. With a vocabulary
    without upper case, texts are lowercased.

    Args:
        tokenizer: a keras-nlp tokenizer with a SentencePiece model.
        strip_accents: optional bool. Defaults to `None`: `True` for XLNet and ALBERT,
            otherwise `False`.

    Attributes:
        lowercase, strip_accents: bool.
        tokenizer: a keras-nlp tokenizer that only splits and looks up.
        resources: list of the resources that a `tf.Module` must track so that its
            graphs with this tokenizer can be saved.

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
            tokenizer = _penalise_number_commas(tokenizer)
        self.tokenizer = tokenizer
        self.resources = [sentence_piece_resource(tokenizer)]

    def normalise(self, texts):
        """Normalises valid UTF-8 (documents,) as the model expects it."""
        if self._like_xlnet:
            texts = tf.strings.regex_replace(texts, f"[{SPACES}]+", " ")
            texts = tf.strings.regex_replace(texts, "``|''", '"')
        if self.strip_accents:
            texts = tf_text.normalize_utf8(texts, "NFKD")
            combining = _combining_characters()
            texts = tf.strings.regex_replace(texts, f"[{combining}]+", "")
        if self.lowercase:
            # ASCII first: lower case beyond ASCII depends on the locale.
            texts = tf.strings.lower(tf.strings.lower(texts), encoding="utf-8")
        return texts

    def __call__(self, texts, most):
        """Tokenises normalised texts (documents,).

        Returns:
            int32 `tf.RaggedTensor` (documents, None), at most `most` ids per document.
        """
        ids = sentence_piece(self.tokenizer).tokenize(texts)
        if isinstance(self.tokenizer, XLMRobertaTokenizer):
            # fairseq's ids are larger by one, and <unk> has another id. keras-nlp
            # compares ragged tensors for this, which adds assertions to the graph.
            values = ids.flat_values
            unknown = self.tokenizer.unk_token_id
            ids = ids.with_flat_values(tf.where(values == 0, unknown, values + 1))
        return tf.cast(ids, tf.int32)[:, :most]


@functools.cache
def _combining_characters():
    """All Unicode combining characters, in one string."""
    characters = map(chr, range(sys.maxunicode))
    return "".join(c for c in characters if unicodedata.combining(c))


def _is_uncased(tokenizer):
    words = [word for word in tokenizer.get_vocabulary() if word[:1] not in "[<"]
    return words == [word.lower() for word in words]


def _penalise_number_commas(tokenizer):
    """Copies a tokenizer and lowers the scores of pieces like "9," by 100."""
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto.FromString(tokenizer.proto)
    for piece in model.pieces:
        if piece.piece[-1:] == "," and piece.piece[-2:-1].isdigit():
            piece.score -= 100
    config = {**tokenizer.get_config(), "proto": model.SerializeToString()}
    return type(tokenizer).from_config(config)
