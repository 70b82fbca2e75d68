import unicodedata

import keras_nlp
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.hard_texts import HARD, rows
from xmc_keras.text.text_tokenizer import TextTokenizer, _parts

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
# Ids of Hugging Face's tokenizers 0.23.3 with the folder's tokenizer.json.
GOLDEN = {
    "Café, naïve Bokmål™": "101 7668 1010 15743 8945 22287 2389 30108 102",
    "x²\u00a0½ straße": "101 1060 10701 1092 2358 27807 102",
    "a\u200bb 한국": "101 11113 1469 30006 30021 29991 30014 30020 102",
}


def basic_words(text, uncased):
    """BERT's own basic tokenizer (google-research/bert, tokenization.py)."""
    out = []
    for c in text.replace("\0", " "):
        category = unicodedata.category(c)
        if c in "\t\n\r" or category.startswith("Z"):
            out.append(" ")
        elif category in ("Cc", "Cf", "Co") or c == "\ufffd":
            continue
        elif "\u4e00" <= c <= "\u9fff":
            out.append(f" {c} ")
        else:
            out.append(c)
    text = "".join(out)
    if uncased:
        text = unicodedata.normalize("NFD", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Mn").lower()
    spaced = (
        f" {c} "
        if unicodedata.category(c).startswith("P") or (c < "\x7f" and not c.isalnum())
        else c
        for c in text
    )
    return "".join(spaced).split()


def word_pieces(word, vocabulary):
    """Greedy longest match; a word with an unknown piece is unknown as a whole."""
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocabulary:
                break
        else:
            return [vocabulary["[UNK]"]]
        pieces.append(vocabulary[piece])
        start = end
    return pieces


def plain_ids(text, words, max_tokens, uncased=True):
    """Oracle in plain Python."""
    vocabulary = {word: i for i, word in enumerate(words)}
    ids = [p for w in basic_words(text, uncased) for p in word_pieces(w, vocabulary)]
    ids = ids[: max_tokens - 2]
    return [vocabulary["[CLS]"], *ids, vocabulary["[SEP]"]]


@pytest.fixture(scope="module")
def bert(minilm):
    return keras_nlp.models.BertTokenizer.from_preset(minilm)


@pytest.fixture(scope="module")
def tokenizer(bert):
    return TextTokenizer(bert, 64)


def roberta(**kwargs):
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    # GPT-2's letters for bytes: Ġ is a space, Ċ a newline, Ã© the two bytes of é.
    pieces += list("abcdehlorstw0123456789/<>.Ġ©Ã") + ["lo", "low", "Ġlow", "Ġ1", "Ċ"]
    return keras_nlp.models.RobertaTokenizer(
        vocabulary={piece: i for i, piece in enumerate(pieces)},
        merges=["l o", "lo w", "Ġ low", "Ġ 1"],
        **kwargs,
    )


def test_ids_are_those_of_hugging_face(tokenizer):
    assert rows(*tokenizer(list(GOLDEN))) == [
        [int(i) for i in ids.split()] for ids in GOLDEN.values()
    ]


def test_ids_are_those_of_plain_python(tokenizer, bert):
    expected = [plain_ids(text, bert.get_vocabulary(), 64) for text in HARD]
    assert rows(*tokenizer(HARD)) == expected
    assert tokenizer.ragged_ids(HARD).to_list() == expected
    # keras-nlp alone drops what follows the NUL in "nul\0byte".
    assert len(expected[-1]) > 4


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cs", "Cn"])))
def test_any_latin_text(tokenizer, bert, text):
    # A word longer than 100 bytes is [UNK], so break the text into shorter ones.
    text = " ".join(text[i : i + 20] for i in range(0, len(text), 20))
    expected = plain_ids(text, bert.get_vocabulary(), 64)
    assert rows(*tokenizer([text])) == [expected]


def test_cased_vocabulary_keeps_case_and_accents():
    words = [*WORDS, "Café", "cafe", "au"]
    cased = keras_nlp.models.BertTokenizer(words)
    texts = ["Café cafe", "café\u00a0cafe Cafe\u0301", "c\u200bafe"]
    tokenizer = TextTokenizer(cased, 16)
    assert not tokenizer.lowercase and not tokenizer.strip_accents
    expected = [plain_ids(text, words, 16, uncased=False) for text in texts]
    assert (
        rows(*tokenizer(texts))
        == expected
        == [
            [2, 5, 6, 3],
            [2, 1, 6, 1, 3],
            [2, 6, 3],
        ]
    )
    assert TextTokenizer(cased, 16, strip_accents=True).strip_accents


def test_lower_case_vocabulary_is_found_to_be_uncased():
    words = [*WORDS, "cafe", "café"]
    bert = keras_nlp.models.BertTokenizer(words)
    assert rows(*TextTokenizer(bert, 8)(["CAFÉ"])) == [[2, 5, 3]]
    accents = TextTokenizer(bert, 8, strip_accents=False)
    assert rows(*accents(["CAFÉ"])) == [[2, 6, 3]]


def test_special_tokens_in_a_text_are_text():
    bert = keras_nlp.models.BertTokenizer(
        [*WORDS, "[", "]", "SEP"], special_tokens_in_strings=True
    )
    assert bert("[SEP]").tolist() == [3]
    assert rows(*TextTokenizer(bert, 64)(["[SEP] [PAD]"])) == [[2, 5, 7, 6, 5, 1, 6, 3]]


@pytest.mark.parametrize("max_tokens", [3, 7, 8, 9])
def test_long_texts_are_cut_and_keep_their_end(max_tokens):
    bert = keras_nlp.models.BertTokenizer(WORDS + list("abcdef"))
    tokenizer = TextTokenizer(bert, max_tokens)
    whole = [5, 6, 7, 8, 9, 10]
    cut = [2, *whole[: max_tokens - 2], 3]
    assert rows(*tokenizer(["a b c d e f", ""])) == [cut, [2, 3]]


def test_lone_surrogates_and_invalid_utf8(tokenizer):
    # Both become U+FFFD, which BERT drops.
    assert rows(*tokenizer(["ca\ud800t", "cat"])) == [[101, 4937, 102]] * 2
    served = tokenizer.ragged_ids(tf.constant([b"ca\xfft", b"cat\xe2\x82", b""]))
    assert served.to_list() == [[101, 4937, 102]] * 2 + [[101, 102]]


def test_normalise(tokenizer):
    normal = tokenizer.normalise(["A\0Ê\u00a0\u200bIΣ", ""]).numpy().tolist()
    assert [text.decode() for text in normal] == ["a e iς", ""]


def test_works_in_a_saved_model(tokenizer, tmp_path):
    module = tf.Module()
    module.ids = tf.function(
        lambda texts: tokenizer.ragged_ids(texts).to_tensor(tokenizer.pad_id),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, str(tmp_path))
    texts = [text for text in HARD if text]
    served = tf.saved_model.load(str(tmp_path)).ids(tf.constant(texts)).numpy()
    for row, expected in zip(served.tolist(), rows(*tokenizer(texts)), strict=True):
        assert row == expected + [0] * (len(row) - len(expected))


def test_byte_pairs_outside_and_inside_a_graph():
    tokenizer = TextTokenizer(roberta(), 16)
    assert (tokenizer.start_id, tokenizer.end_id, tokenizer.pad_id) == (0, 2, 1)
    texts = ["low low 12345", "", "</s> é low\0low", "a\nlow", " low  "]
    found = rows(*tokenizer(texts))
    ids = roberta().vocabulary
    # Digits stay together, "</s>" is text, NUL becomes a space.
    first = ["<s>", "low", "Ġlow", "Ġ1", "2", "3", "4", "5", "</s>"]
    third = ["<s>", *"</s>", "Ġ", "Ã", "©", "Ġlow", "Ġlow", "</s>"]
    assert found[0] == [ids[piece] for piece in first]
    assert found[1] == [0, 2]
    assert found[2] == [ids[piece] for piece in third]
    assert tokenizer.ragged_ids(texts).to_list() == found
    assert rows(*TextTokenizer(roberta(), 4)(texts))[0] == [*found[0][:3], 2]


def test_texts_come_back_in_their_order_with_progress(tokenizer):
    texts = [f"document number {i} " + "of many " * (i % 7) for i in range(4321)]
    seen = []
    found = rows(*tokenizer(texts, progress=lambda *done: seen.append(done)))
    assert seen == [(2000, 4321), (4000, 4321), (4321, 4321)]
    for i in (0, 1, 1999, 2000, 2001, 4320):
        assert found[i] == rows(*tokenizer([texts[i]]))[0]
    token_ids, offsets = tokenizer([])
    assert (len(token_ids), offsets.tolist()) == (0, [0])


def test_parts_are_bounded():
    texts = ["x" * n for n in [3, 9, 1, 1, 1, 1, 20, 2]]
    parts = list(_parts(texts, most_texts=3, most_characters=10))
    assert sum((texts[part] for part in parts), []) == texts
    assert [len(texts[part]) for part in parts] == [2, 3, 2, 1]


def test_fingerprint_follows_everything_that_ids_depend_on(bert):
    words = [*WORDS, "cafe", "au"]
    make = keras_nlp.models.BertTokenizer
    base = TextTokenizer(make(words), 8).fingerprint()
    assert base == TextTokenizer(make(words, lowercase=True), 8).fingerprint()
    others = [
        TextTokenizer(make(words), 9),
        TextTokenizer(make(words + ["lait"]), 8),
        TextTokenizer(make(words[:5] + ["au", "cafe"]), 8),
        TextTokenizer(make(words, split_on_cjk=False), 8),
        TextTokenizer(make(words), 8, strip_accents=False),
        TextTokenizer(bert, 8),
        TextTokenizer(roberta(), 8),
        TextTokenizer(roberta(add_prefix_space=True), 8),
    ]
    assert len({base, *(other.fingerprint() for other in others)}) == 9
    assert len(base) == 16 and int(base, 16)


def test_wrong_arguments(bert):
    with pytest.raises(ValueError, match=r"`max_tokens` >= 3. Received: 2"):
        TextTokenizer(bert, 2)
    with pytest.raises(ValueError, match="Received: sequence_length=8. Use `max_tok"):
        TextTokenizer(
            keras_nlp.models.BertTokenizer(bert.get_vocabulary(), sequence_length=8), 8
        )
    with pytest.raises(ValueError, match="with `start_token_id`. Received"):
        TextTokenizer(keras_nlp.tokenizers.WordPieceTokenizer(["[UNK]", "a"]), 8)
    tokenizer = TextTokenizer(bert, 8)
    for texts in ("one text", ["a", 3], [b"a"]):
        with pytest.raises(ValueError, match="Expected a list of strings. Received: "):
            tokenizer(texts)
        with pytest.raises(ValueError, match="Expected a list of strings. Received: "):
            tokenizer.normalise(texts)
