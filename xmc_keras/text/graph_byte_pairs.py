"""Byte-pair encoding in a graph, without lookup tables."""

import numpy as np
import tensorflow as tf

from xmc_keras.text.byte_pair_words import find_word_starts

NONE = np.iinfo(np.int32).max  # rank of a pair that is never merged


class GraphBytePairs:
    """Byte-pair encoding of GPT-2 and RoBERTa, in core TensorFlow ops.

    The keras-nlp tokenizer caches every word in a table that grows with each request
    and is not part of a SavedModel. Here the bytes of the texts become ids, and each
    iteration of a loop merges the best pairs of all words at once, until none is left.
    The pair of two ids is one integer, searched in the sorted integers of all merges,
    so there is no table to initialise. 50,000 merges take 1 MB in the graph.

    Args:
        vocabulary: dict from piece to id, in GPT-2's letters for bytes. Bytes without
            a piece are dropped, as in `tokenizers`.
        merges: list of strings, two pieces with a space between, best first. A line
            with "#version:" is skipped.
        add_prefix_space: bool. Whether a text that does not begin with a space gets
            one. Defaults to `False`.

    Raises:
        ValueError: a piece of a merge, or its result, is not in the vocabulary.

    Example:

    >>> vocabulary = {piece: i for i, piece in enumerate(["l", "o", "w", "lo", "low"])}
    >>> byte_pairs = GraphBytePairs(vocabulary, ["l o", "lo w"])
    >>> byte_pairs(tf.constant(["lowlo", "", "wool"])).to_list()
    [[4, 3], [], [2, 1, 1, 0]]

    Source: the algorithm of huggingface/tokenizers, `models/bpe/word.rs`.
    """

    lowercase = strip_accents = False

    def __init__(self, vocabulary, merges, add_prefix_space=False):
        self.add_prefix_space = add_prefix_space
        letters = [vocabulary.get(letter, -1) for letter in bytes_to_letters()]
        self._ids_of_bytes = np.array(letters, np.int32)
        pairs = [tuple(m.split(" ")) for m in merges if "#version:" not in m]
        unknown = [p for left, right in pairs for p in (left, right, left + right)]
        unknown = next((p for p in unknown if p not in vocabulary), None)
        if unknown is not None:
            raise ValueError(
                "Expected pieces of `merges` to be in the vocabulary. Received: "
                f"{unknown!r}, which is not."
            )
        rank_of = {pair: rank for rank, pair in enumerate(pairs)}
        self._width = max(vocabulary.values(), default=0) + 1
        numbers = [
            vocabulary[left] * self._width + vocabulary[right]
            for left, right in rank_of
        ]
        order = np.argsort(numbers)
        # -1 is the number of no pair: the array is never empty.
        self._numbers = np.append([-1], np.array(numbers, np.int64)[order])
        ranks = np.array([*rank_of.values()], np.int32)[order]
        self._ranks = np.append([NONE], ranks).astype(np.int32)
        merged = [vocabulary[left + right] for left, right in pairs]
        self._merged = np.array([*merged, 0], np.int32)
        self._in_order = _is_in_order(rank_of)

    def normalise(self, texts):
        """Returns `texts` unchanged: byte-pair encoding needs no normalisation."""
        return texts

    def __call__(self, texts, most=None):
        """Tokenises texts.

        Args:
            texts: string tensor (documents,), valid UTF-8.
            most: optional int. Maximum number of ids per document. Only the first
                `most` words are tokenised.

        Returns:
            int32 `tf.RaggedTensor` (documents, None).
        """
        if self.add_prefix_space:
            texts = tf.strings.regex_replace(texts, r"\A([^ ])", r" \1")
        characters = tf.strings.unicode_decode(texts, "UTF-8")
        documents = tf.cast(characters.value_rowids(), tf.int32)
        starts = find_word_starts(characters.flat_values, documents)
        word = tf.cumsum(tf.cast(starts, tf.int32)) - 1  # (characters,)

        data = tf.io.decode_raw(tf.strings.reduce_join(texts), tf.uint8)
        leads = (data < 0x80) | (data >= 0xC0)  # first bytes of characters
        character = tf.cumsum(tf.cast(leads, tf.int32)) - 1  # (bytes,)
        ids = tf.gather(self._ids_of_bytes, tf.cast(data, tf.int32))
        kept = ids >= 0
        if most is not None:
            # Words are numbered through all documents: subtract those before.
            before = tf.gather(
                tf.concat([[0], word + 1], 0), characters.row_splits[:-1]
            )
            place = word - tf.gather(before, documents)
            kept &= tf.gather(place < most, character)
        ids = tf.boolean_mask(ids, kept)
        character = tf.boolean_mask(character, kept)
        ids, character = self._merge(ids, character, tf.gather(word, character))
        lengths = tf.math.unsorted_segment_sum(
            tf.ones_like(character), tf.gather(documents, character), tf.size(texts)
        )
        ids = tf.RaggedTensor.from_row_lengths(ids, lengths, validate=False)
        return ids if most is None else ids[:, :most]

    def _merge(self, ids, character, word):
        """Merges the pairs within words; all int32 (pieces,).

        `character`, the character in which a piece begins, is filtered along.
        """
        one = tf.TensorShape([None])

        def some_pair(ids, character, word, ranks):
            return tf.reduce_any(ranks < NONE)

        def merge_best(ids, character, word, ranks):
            best = tf.math.unsorted_segment_min(ranks, word, word[-1] + 1)
            hit = (ranks < NONE) & (ranks == tf.gather(best, word))
            take = _take_alternate(hit) if self._in_order else _take_first(hit, word)
            ids = tf.where(take, tf.gather(self._merged, tf.where(take, ranks, 0)), ids)
            # The left piece of a merged pair becomes the merge, the right one goes.
            kept = ~tf.concat([[False], take[:-1]], 0)
            ids, character, word, ranks, take = (
                tf.boolean_mask(x, kept) for x in (ids, character, word, ranks, take)
            )
            changed = tf.where(take | tf.concat([take[1:], [False]], 0))  # (changed, 1)
            new_ranks = self._ranks_at(ids, word, tf.cast(changed[:, 0], tf.int32))
            ranks = tf.tensor_scatter_nd_update(ranks, changed, new_ranks)
            return ids, character, word, ranks

        start = (
            ids,
            character,
            word,
            self._ranks_at(ids, word, tf.range(tf.size(ids))),
        )
        merged = tf.while_loop(
            some_pair, merge_best, start, shape_invariants=(one,) * 4
        )
        return merged[0], merged[1]

    def _ranks_at(self, ids, word, places):
        """Ranks of the pairs that begin at `places`, `NONE` for no merge."""
        after = tf.minimum(places + 1, tf.size(ids) - 1)
        inside = (after > places) & (tf.gather(word, after) == tf.gather(word, places))
        left, right = (tf.cast(tf.gather(ids, x), tf.int64) for x in (places, after))
        number = left * self._width + right
        numbers = tf.constant(self._numbers)
        found = tf.minimum(tf.searchsorted(numbers, number), len(self._numbers) - 1)
        inside &= tf.gather(numbers, found) == number
        return tf.where(inside, tf.gather(self._ranks, found), NONE)


def bytes_to_letters():
    """Returns GPT-2's printable letters for the 256 bytes.

    Example:

    >>> letters = bytes_to_letters()
    >>> letters[ord("a")], letters[ord(" ")]
    ('a', 'Ġ')
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = iter(range(0x100, 0x200))
    return [chr(b if b in printable else next(others)) for b in range(256)]


def _is_in_order(rank_of):
    """Whether every piece is used only by merges ranked after those that create it.

    This holds for merges learnt one after another. Merging a pair then never creates a
    pair of the same or a better rank, so all pairs of one rank are merged at once.
    """
    creation_rank = {}
    for (left, right), rank in rank_of.items():
        piece = left + right
        creation_rank[piece] = max(rank, creation_rank.get(piece, -1))
    return all(
        creation_rank.get(piece, -1) < rank
        for pair, rank in rank_of.items()
        for piece in pair
    )


def _take_alternate(hit):
    """Every other hit in a run: in "aaa" two pairs overlap, and only one is merged."""
    places = tf.range(tf.size(hit))
    begins = hit & ~tf.concat([[False], hit[:-1]], 0)
    starts = tf.boolean_mask(places, begins)
    run = tf.maximum(tf.cumsum(tf.cast(begins, tf.int32)) - 1, 0)
    return hit & ((places - tf.gather(starts, run)) % 2 == 0)


def _take_first(hit, word):
    """The first hit of each word."""
    places = tf.range(tf.size(hit))
    found = tf.where(hit, places, NONE)
    first = tf.math.unsorted_segment_min(found, word, word[-1] + 1)
    return hit & (places == tf.gather(first, word))
