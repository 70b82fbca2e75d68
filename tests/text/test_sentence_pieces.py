import functools
import unicodedata

import pytest
import sentencepiece
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from tests.helpers.hard_texts import HARD, rows
from tests.helpers.project import RECORDED
from tests.helpers.tiny_tokenizers import proto, tokenizer
from xmc_keras.text.sentence_pieces import SentencePieces
from xmc_keras.text.text_tokenizer import TextTokenizer
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

KINDS = ("albert", "albert lower", "deberta", "xlm_roberta", "xlnet")
XLNET = (RECORDED / "xlnet/spiece.model").read_bytes()


def made(kind):
    if kind == "xlnet":
        return XLNetTokenizer(XLNET)
    return tokenizer(kind.split()[0], kind.endswith("lower"))


@pytest.fixture(scope="module")
def tokenizers():
    return {kind: TextTokenizer(made(kind), 20) for kind in KINDS}


@functools.cache
def processor(kind):
    name = kind.split()[0]
    content = XLNET if kind == "xlnet" else proto(name, kind.endswith("lower"))
    if name in ("albert", "xlnet"):
        model = sentencepiece_model_pb2.ModelProto.FromString(content)
        for piece in model.pieces:
            if len(piece.piece) > 1 and piece.piece[-1] == ",":
                piece.score -= 100 * piece.piece[-2].isdigit()
        content = model.SerializeToString()
    return sentencepiece.SentencePieceProcessor(model_proto=content)


def by_hand(kind, text, most=20):
    """Oracle: the `sentencepiece` package and Python's own Unicode tables."""
    name = kind.split()[0]
    text = text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    text = text.replace("\0", " ")
    if name in ("albert", "xlnet"):
        text = " ".join(text.split()).replace("``", '"').replace("''", '"')
        text = unicodedata.normalize("NFKD", text)
        text = "".join(c for c in text if not unicodedata.combining(c))
    if kind.endswith("lower"):
        text = text.lower()
    ids = processor(kind).encode(text)[: most - 2]
    if kind == "xlnet":
        return [*ids, 4, 3]
    if kind == "xlm_roberta":
        return [0, *(3 if i == 0 else i + 1 for i in ids), 2]
    return [2, *ids, 3] if name == "albert" else [1, *ids, 2]


# Without words that end in a sigma, which has two lower case letters.
TEXTS = [text for text in HARD if "Σ" not in text] + [
    "In 1999, they sold 12,345, ``quoted'' and 'single'.",
    "A TEXT in UPPER case, naïve façade",
    "lone \ud800 surrogate",
    "x" * 500,
]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_package(kind, tokenizers):
    expected = [by_hand(kind, text) for text in TEXTS]
    assert rows(*tokenizers[kind](TEXTS)) == expected
    assert tokenizers[kind].ragged_ids(TEXTS).to_list() == expected
    assert max(map(len, expected)) == 20 and min(map(len, expected)) == 2


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
# Old characters only: the graph's Unicode tables are older than Python's.
@given(text=st.text(st.characters(max_codepoint=0x24F), max_size=30))
def test_any_latin_text(kind, tokenizers, text):
    assert rows(*tokenizers[kind]([text])) == [by_hand(kind, text)]


def test_case_and_accents_follow_the_vocabulary(tokenizers):
    found = {k: (t.lowercase, t.strip_accents) for k, t in tokenizers.items()}
    assert found == {
        "albert": (False, True),
        "albert lower": (True, True),
        "deberta": (False, False),
        "xlm_roberta": (False, False),
        "xlnet": (False, True),
    }
    kept = SentencePieces(made("xlnet"), strip_accents=False)
    assert not kept.strip_accents
    assert kept.normalise(tf.constant(["É ``x''"]))[0].numpy().decode() == 'É "x"'


def test_special_tokens(tokenizers):
    xlnet = tokenizers["xlnet"]
    assert (xlnet.start_id, xlnet.end_id, xlnet.pad_id) == (3, 4, 5)
    assert xlnet.ragged_ids([""]).to_list() == [[4, 3]]
    assert tokenizers["xlm_roberta"].pad_id == 1
    assert tokenizers["albert"].pad_id == tokenizers["deberta"].pad_id == 0


def test_numbers_and_commas_are_apart():
    tokenizer = TextTokenizer(made("xlnet"), 64)
    pieces = made("xlnet").get_vocabulary()
    with_comma = [p for p in pieces if p[-1:] == "," and p[-2:-1].isdigit()]
    assert with_comma  # otherwise the test shows nothing
    text = with_comma[0].replace("▁", " ")
    found = [pieces[i] for i in tokenizer.ragged_ids([text]).to_list()[0]]
    assert with_comma[0] not in found and "," in found


def test_fingerprints_differ():
    prints = {TextTokenizer(made(kind), 20).fingerprint() for kind in KINDS}
    prints.add(TextTokenizer(made("xlnet"), 20, strip_accents=False).fingerprint())
    assert len(prints) == len(KINDS) + 1
    again = TextTokenizer(made("xlnet"), 20).fingerprint()
    assert again in prints


def test_a_vocabulary_without_xlnets_tokens():
    with pytest.raises(ValueError, match="special token .*<"):
        XLNetTokenizer(proto("deberta"))
