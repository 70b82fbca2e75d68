"""Tokenization of texts, with equal ids in training and in a SavedModel."""

import hashlib
import json
import logging
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import keras_nlp
import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from keras_nlp.tokenizers import (
    BytePairTokenizer,
    SentencePieceTokenizer,
    WordPieceTokenizer,
)

from xmc_keras.text.graph_byte_pairs import GraphBytePairs
from xmc_keras.text.list_texts import list_texts
from xmc_keras.text.sentence_pieces import SentencePieces
from xmc_keras.text.split_words import to_string_tensor
from xmc_keras.text.word_pieces import WordPieces
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

logger = logging.getLogger(__name__)

NORMALISATION_VERSION = 1


class TextTokenizer:
    """Converts texts to token ids, with the start and end tokens of the encoder.

    The ids equal those of Hugging Face's fast tokenizer for the same folder.
    keras-nlp 0.32 alone differs: with an uncased WordPiece vocabulary it keeps accents
    ("café" is `[UNK]`), splits at zero-width characters but not at no-break spaces, and
    rewrites "™", "ß", "²" and Hangul. Here `normalise` follows BERT's own code, and the
    keras-nlp tokenizer only splits and looks up. Remaining differences for WordPiece:

    - NUL becomes a space (`tf_text.regex_split` drops the text after it).
    - Special tokens that occur in a text ("[SEP]") are ordinary characters.
    - A capital sigma at the end of a word becomes "ς", as in BERT's own code.
    - A word longer than 100 bytes is `[UNK]`; Hugging Face's limit is 100 characters.
    - Characters newer than Unicode 9 may belong to another category.

    Byte-pair vocabularies (RoBERTa): only NUL and invalid UTF-8 are replaced. A list
    of texts is split by the `tokenizers` package if it is installed; in a graph, texts
    are split by `GraphBytePairs`. keras-nlp splits numbers into groups of three digits
    when eager, and its graph cannot be saved. Both paths give the same ids, except for
    characters unknown to Python's `unicodedata` (Python 3.11: newer than Unicode 14).

    SentencePiece vocabularies (XLNet, ALBERT, DeBERTa-v3, XLM-RoBERTa): see
    `SentencePieces`. Symbols that the vocabulary itself defines ("[MASK]") are
    recognised in a text. XLNet's special tokens, <sep> and <cls>, follow the text.

    Args:
        tokenizer: a keras-nlp tokenizer with a start token ("[CLS]", "<s>"), an end
            token and a pad token, such as the result of
            `keras_nlp.models.BertTokenizer.from_preset(folder)`.
        max_tokens: int, at least 3. Maximum length of a document in tokens, start and
            end tokens included. Longer documents are truncated; the end token is kept.
        strip_accents: optional bool. Defaults to `None`: accents are stripped for an
            uncased WordPiece vocabulary, XLNet and ALBERT. Ignored for byte pairs.

    Attributes:
        start_id, end_id, pad_id: int, the special token ids.
        lowercase, strip_accents: bool. What `normalise` does.

    Example:

    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "au"]
    >>> bert = keras_nlp.models.BertTokenizer(vocabulary)
    >>> tokenizer = TextTokenizer(bert, max_tokens=4)
    >>> token_ids, offsets = tokenizer(["Café", "", "café au lait"])
    >>> token_ids.tolist(), offsets.tolist()
    ([2, 5, 3, 2, 3, 2, 5, 6, 3], [0, 3, 5, 9])
    """

    def __init__(self, tokenizer, max_tokens, strip_accents=None):
        if max_tokens < 3:
            raise ValueError(f"Expected `max_tokens` >= 3. Received: {max_tokens}")
        if getattr(tokenizer, "sequence_length", None):
            raise ValueError(
                "Expected a tokenizer without `sequence_length`. Received: "
                f"sequence_length={tokenizer.sequence_length}. Use `max_tokens`."
            )
        self.max_tokens = max_tokens
        self.start_id = _special_id(tokenizer, "start_token_id", "cls_token_id")
        self.end_id = _special_id(tokenizer, "end_token_id", "sep_token_id")
        self.pad_id = _special_id(tokenizer, "pad_token_id")
        self._before, self._after = [self.start_id], [self.end_id]
        if isinstance(tokenizer, XLNetTokenizer):
            self._before, self._after = [], [self.end_id, self.start_id]
        self._pieces = _create_pieces(tokenizer, strip_accents)
        self.lowercase = self._pieces.lowercase
        self.strip_accents = self._pieces.strip_accents
        self._plain = getattr(self._pieces, "tokenizer", tokenizer)
        self._byte_pairs = _byte_pair_encoder(tokenizer)
        traced = tf.function(
            input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )
        self._normalise = traced(self._normalise_in_graph)
        self._ragged_ids = traced(self._ids_in_graph)

    def normalise(self, texts):
        """Normalises texts for the lookup in the vocabulary.

        Args:
            texts: string tensor or list of strings, (documents,). Invalid UTF-8
                and lone surrogates count as U+FFFD.

        Returns:
            string tensor (documents,).
        """
        return self._normalise(to_string_tensor(texts))

    def ragged_ids(self, texts):
        """Tokenises texts, also inside a `tf.function`, `tf.data` and a SavedModel.

        Args:
            texts: string tensor or list of strings, (documents,).

        Returns:
            int32 `tf.RaggedTensor` (documents, None).
        """
        return self._ragged_ids(to_string_tensor(texts))

    @property
    def resources(self):
        """Resources that a `tf.Module` must track to save graphs with `ragged_ids`."""
        return getattr(self._pieces, "resources", [])

    def __call__(self, texts, progress=None):
        """Tokenises a list of texts on all cores.

        Args:
            texts: list of strings.
            progress: optional callable, called with (documents done, documents).

        Returns:
            `(token_ids, offsets)`, the arguments of `TokenCache`: all ids, int32
            (tokens,), and the start of each document, int64 (documents + 1,).
        """
        texts = list_texts(texts)
        token_ids, lengths, done = [np.zeros(0, np.int32)], [[0]], 0
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            chunks = pool.map(
                lambda part: self._tokenise_chunk(texts[part]), _parts(texts)
            )
            for chunk_ids, chunk_lengths in chunks:
                token_ids.append(chunk_ids)
                lengths.append(chunk_lengths)
                done += len(chunk_lengths)
                if progress is not None:
                    progress(done, len(texts))
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C no new chunks are begun
        token_ids = np.concatenate(token_ids)
        offsets = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        logger.info("Tokenised %d texts: %d tokens.", done, len(token_ids))
        return token_ids, offsets

    def fingerprint(self):
        """Hex digest of everything that the ids depend on."""
        plain = self._plain
        config = {**plain.get_config(), "name": None}
        # `get_config` leaves it out.
        config["split_on_cjk"] = getattr(plain, "split_on_cjk", None)
        vocabulary = getattr(plain, "vocabulary", None) or plain.get_vocabulary()
        parts = [
            NORMALISATION_VERSION,
            [keras_nlp.__version__, tf_text.__version__],
            [type(plain).__name__, config, vocabulary, getattr(plain, "merges", None)],
            [self.max_tokens, self.lowercase, self.strip_accents],
            [self.start_id, self.end_id],
        ]
        if isinstance(plain, BytePairTokenizer):
            parts.append(unicodedata.unidata_version)
        as_text = json.dumps(parts, sort_keys=True, default=str)
        digest = hashlib.sha256(as_text.encode())
        digest.update(getattr(plain, "proto", None) or b"")  # SentencePiece
        return digest.hexdigest()[:16]

    def _normalise_in_graph(self, texts):
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf.strings.regex_replace(texts, r"\x00", " ")
        return self._pieces.normalise(texts)  # (documents,)

    def _ids_in_graph(self, texts):
        with tf.device("CPU:0"):
            texts = self._normalise_in_graph(texts)
            ids = self._pieces(texts, self.max_tokens - 2)
            column = tf.ones([ids.nrows(), 1], tf.int32)
            before = [column * i for i in self._before]
            return tf.concat([*before, ids, *(column * i for i in self._after)], 1)

    def _tokenise_chunk(self, texts):
        if self._byte_pairs is None:
            ids = self.ragged_ids(texts)
            return ids.flat_values.numpy(), ids.row_lengths().numpy()
        texts = [text.decode() for text in self.normalise(texts).numpy()]
        most = self.max_tokens - 2
        encoded = self._byte_pairs.encode_batch_fast(texts, add_special_tokens=False)
        rows = [[*self._before, *x.ids[:most], *self._after] for x in encoded]
        return np.concatenate(rows, dtype=np.int32), np.array([len(r) for r in rows])


def _special_id(tokenizer, *names):
    for name in names:
        if getattr(tokenizer, name, None) is not None:
            return int(getattr(tokenizer, name))
    raise ValueError(f"Expected a tokenizer with `{names[0]}`. Received: {tokenizer}")


def _create_pieces(tokenizer, strip_accents):
    """Creates the graph tokenizer for the kind of vocabulary."""
    if isinstance(tokenizer, WordPieceTokenizer):
        return WordPieces(tokenizer, strip_accents)
    if isinstance(tokenizer, SentencePieceTokenizer):
        return SentencePieces(tokenizer, strip_accents)
    if isinstance(tokenizer, BytePairTokenizer):
        return GraphBytePairs(
            tokenizer.vocabulary, tokenizer.merges, tokenizer.add_prefix_space
        )
    raise ValueError(
        "Expected a WordPiece, SentencePiece or byte-pair tokenizer. Received: "
        f"{tokenizer}"
    )


def _byte_pair_encoder(tokenizer):
    """The same byte-pair encoding in the `tokenizers` package, or `None`."""
    if not isinstance(tokenizer, BytePairTokenizer):
        return None
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError:  # keras-nlp 0.25 does not install it: use the graph
        return None
    merges = [tuple(m.split(" ")) for m in tokenizer.merges if "#version:" not in m]
    encoder = Tokenizer(models.BPE(dict(tokenizer.vocabulary), merges))
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(tokenizer.add_prefix_space)
    return encoder


def _parts(texts, most_texts=2_000, most_characters=4_000_000):
    """Yields slices of `texts`, each small enough to be tokenised at once."""
    start = characters = 0
    for i, text in enumerate(texts):
        characters += len(text)
        if i + 1 - start == most_texts or characters >= most_characters:
            yield slice(start, i + 1)
            start, characters = i + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))
