"""Texts to token ids, in the same way for training and for a SavedModel."""

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
from xmc_keras.text.sentence_pieces import SentencePieces
from xmc_keras.text.word_pieces import WordPieces
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

logger = logging.getLogger(__name__)

NORMALISATION_VERSION = 1


class TextTokenizer:
    """Turns texts into token ids with the two special tokens that they have.

    The ids are those of Hugging Face's fast tokenizer for the same folder, which
    keras-nlp 0.32 alone does not give: with an uncased WordPiece vocabulary it
    keeps accents ("café" is `[UNK]`), splits at zero-width characters and not at
    no-break spaces, and rewrites "™", "ß", "²" and Hangul. Here `normalise` does
    what BERT's own code does, and the tokenizer only splits and looks up. What
    still differs for WordPiece:

    - NUL becomes a space (`tf_text.regex_split` drops what follows it).
    - Special tokens written in a text ("[SEP]") are plain characters.
    - A capital sigma at the end of a word becomes "ς", as in BERT's own code.
    - A word above 100 bytes is `[UNK]`; the limit elsewhere is 100 characters.
    - Characters younger than Unicode 9 may belong to another category.

    Byte-pair vocabularies (RoBERTa): only NUL and invalid UTF-8 are replaced. A list
    is split by the `tokenizers` package where it is installed, and in a graph by
    `GraphBytePairs`: keras-nlp's own eager path cuts numbers in threes, and its graph
    path cannot be saved. Both give the same ids, save for characters that Python's
    `unicodedata` does not know yet (Python 3.11: younger than Unicode 14).

    SentencePiece vocabularies (XLNet, ALBERT, DeBERTa-v3, XLM-RoBERTa): see
    `SentencePieces`. What the vocabulary itself defines as one symbol ("[MASK]") is
    that in a text, too. XLNet's special tokens are <sep> and <cls>, behind the text.

    Args:
        tokenizer: a keras-nlp tokenizer with start ("[CLS]", "<s>"), end and pad
            token, as `keras_nlp.models.BertTokenizer.from_preset(folder)` gives it.
        max_tokens: integer. Longest document in tokens, start and end included;
            the rest is cut off, the end token is kept. At least 3.
        strip_accents: optional boolean. None strips them where a WordPiece vocabulary
            is uncased, and for XLNet and ALBERT. No matter for byte pairs.

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
            raise ValueError("Expected `max_tokens` in place of `sequence_length`.")
        self.max_tokens = max_tokens
        self.start_id = _special_id(tokenizer, "start_token_id", "cls_token_id")
        self.end_id = _special_id(tokenizer, "end_token_id", "sep_token_id")
        self.pad_id = _special_id(tokenizer, "pad_token_id")
        self._before, self._after = [self.start_id], [self.end_id]
        if isinstance(tokenizer, XLNetTokenizer):
            self._before, self._after = [], [self.end_id, self.start_id]
        self._pieces = _pieces(tokenizer, strip_accents)
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
        """Returns the string tensor that the vocabulary is looked up with.

        Args:
            texts: string tensor or list of strings, (documents,). Invalid UTF-8
                and lone surrogates count as U+FFFD.
        """
        return self._normalise(_as_tensor(texts))

    def ragged_ids(self, texts):
        """Returns the ids as an int32 `tf.RaggedTensor`, (documents, None).

        Takes what `normalise` takes, also in `tf.function`, `tf.data`, SavedModels.
        """
        return self._ragged_ids(_as_tensor(texts))

    @property
    def resources(self):
        """List of what a module must hold so that its graphs with ids can be saved."""
        return getattr(self._pieces, "resources", [])

    def __call__(self, texts, progress=None):
        """Tokenises a list of texts on all cores.

        Args:
            texts: list of strings.
            progress: optional callable, called with (documents done, documents).

        Returns:
            `(token_ids, offsets)`, as `TokenCache` takes them.
        """
        _check_texts(texts)
        token_ids, lengths, done = [np.zeros(0, np.int32)], [[0]], 0
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            chunks = pool.map(lambda part: self._chunk(texts[part]), _parts(texts))
            for chunk_ids, chunk_lengths in chunks:
                token_ids.append(chunk_ids)
                lengths.append(chunk_lengths)
                done += len(chunk_lengths)
                if progress is not None:
                    progress(done, len(texts))
        finally:
            # After Ctrl-C the chunks that have not begun are not worth waiting for.
            pool.shutdown(cancel_futures=True)
        token_ids = np.concatenate(token_ids)
        offsets = np.cumsum(np.concatenate(lengths), dtype=np.int64)
        logger.info("Tokenised %d texts: %d tokens.", done, len(token_ids))
        return token_ids, offsets

    def fingerprint(self):
        """Returns a hex digest of everything that the ids depend on."""
        plain = self._plain
        config = {**plain.get_config(), "name": None}
        config["split_on_cjk"] = getattr(plain, "split_on_cjk", None)  # left out there
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

    def _chunk(self, texts):
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


def _pieces(tokenizer, strip_accents):
    """What normalises and splits in a graph, and tells of case and accents."""
    if isinstance(tokenizer, WordPieceTokenizer):
        return WordPieces(tokenizer, strip_accents)
    if isinstance(tokenizer, SentencePieceTokenizer):
        return SentencePieces(tokenizer, strip_accents)
    if isinstance(tokenizer, BytePairTokenizer):
        return GraphBytePairs(
            tokenizer.vocabulary, tokenizer.merges, tokenizer.add_prefix_space
        )
    raise ValueError(
        f"Expected WordPiece, SentencePiece or byte pairs. Received: {tokenizer}"
    )


def _byte_pair_encoder(tokenizer):
    if not isinstance(tokenizer, BytePairTokenizer):
        return None
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers
    except ImportError:  # keras-nlp 0.25 comes without: graph path
        return None
    merges = [tuple(m.split(" ")) for m in tokenizer.merges if "#version:" not in m]
    encoder = Tokenizer(models.BPE(dict(tokenizer.vocabulary), merges))
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(tokenizer.add_prefix_space)
    return encoder


def _check_texts(texts):
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"Expected a list of strings. Received: {texts!r:.100}")


def _as_tensor(texts):
    if isinstance(texts, tf.Tensor):
        return texts
    _check_texts(texts)
    # A lone surrogate becomes invalid UTF-8 here and U+FFFD in the graph.
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return tf.constant(encoded, tf.string, [len(encoded)])


def _parts(texts, most_texts=2_000, most_characters=4_000_000):
    """Slices of `texts` that are small enough to be tokenised at once."""
    start = characters = 0
    for i, text in enumerate(texts):
        characters += len(text)
        if i + 1 - start == most_texts or characters >= most_characters:
            yield slice(start, i + 1)
            start, characters = i + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))
