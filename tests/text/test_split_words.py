import unicodedata

import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xmc_keras.text.split_words import split_words, to_string_tensor

# Only characters of Python's oldest table: later Unicode versions do not change them.
OLD = unicodedata.ucd_3_2_0
# Those that NFKC_Casefold drops.
INVISIBLE = {0xAD, 0x34F, *range(0x115F, 0x1161), *range(0x17B4, 0x17B6), 0x2065}
INVISIBLE |= {*range(0x180B, 0x180F), *range(0x200B, 0x2010), *range(0x202A, 0x202F)}
INVISIBLE |= {*range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0}
INVISIBLE |= {*range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)}
# Names of the characters that are words of their own. "KATAKANA-HIRAGANA" are marks of
# both scripts, which are not.
ALONE = ("CJK ", "HIRAGANA ", "KATAKANA LETTER", "KATAKANA ITER", "KATAKANA DIGRAPH")
ALONE += ("IDEOGRAPHIC ITER", "VERTICAL IDEOGRAPHIC ITER", "IDEOGRAPHIC NUMBER")
ALONE += ("KATAKANA VOICED ITER", "HANGZHOU NUMERAL")

# Letters of scripts without spaces, and the vowels that go with a consonant only.
SYLLABLES = "THAI CHARACTER", "LAO LETTER", "KHMER LETTER", "KHMER INDEPENDENT VOWEL"
SYLLABLES += "MYANMAR LETTER", "LAO HO ", "TAI LE LETTER"
VOWELS = {*"ะาๅเแโใไຽະາເແໂໃໄ", "\u0e2f", "\u0e46"}  # and signs that are Lo or Lm
# What Lucene's ArabicNormalizer and PersianNormalizer unify.
FORMS = dict(zip("آأإٱىیےةۀہۂەک", "اااايييههههه" + "ك"))


def words_by_hand(text, rule):
    """Oracle: the rule applied to one character at a time, with Python's tables.

    A consonant of a script without spaces is a word: only texts without its vowels.
    """
    folded = unicodedata.normalize("NFC", "".join(map(nfkc_casefold, text)))
    if rule > 1:
        folded = "".join(FORMS.get(c, c) for c in folded if not is_left_out(c))
    words = [""]
    for c in folded:
        if unicodedata.category(c)[0] not in "LMN" and c != "_":
            words.append("")
        elif unicodedata.name(c, "").startswith(ALONE) or (rule > 1 and is_syllable(c)):
            words += [c, ""]
        else:
            words[-1] += c
    return [word for word in words if word]


def is_left_out(character):
    scripts = "ARABIC", "HEBREW"
    mark = unicodedata.category(character) == "Mn"
    name = unicodedata.name(character, "")
    return character == "ـ" or mark and name.startswith(scripts)


def is_syllable(character):
    letter = unicodedata.category(character) == "Lo" and character not in VOWELS
    return letter and unicodedata.name(character, "").startswith(SYLLABLES)


def nfkc_casefold(character):
    """Unicode's property of this name: the fixed point of three maps."""
    while True:
        visible = "".join(c for c in character if ord(c) not in INVISIBLE)
        again = unicodedata.normalize("NFKC", visible.casefold())
        if again == character:
            return again
        character = again


def split(texts, **options):
    rows = split_words(texts, **options).to_list()
    return [[w.decode() for w in row] for row in rows]


@pytest.mark.parametrize("rule", [1, 2])
def test_every_old_character(rule):
    kept = [chr(c) for c in range(0x110000) if OLD.category(chr(c)) not in ("Cn", "Cs")]
    assert len(kept) > 200_000
    texts = [f"a{c}b" for c in kept if OLD.category(c) != "Co"]
    texts += [f"a{c}b" for c in kept if OLD.category(c) == "Co"][::1000]
    different = [
        (text, words)
        for text, words in zip(texts, split(texts, rule=rule))
        if words != words_by_hand(text, rule)
    ]
    assert not different


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(max_codepoint=0x3FF, exclude_categories=["Cn"]))))
@example(["", "\0", "a\0b\nc\r\td", "é e\u0301 É", "ŉ ẞ İ ﬁ ½", "__ a_1", "😀👍🏽x"])
def test_texts_of_old_characters(texts):
    assert split(texts) == [words_by_hand(text, 2) for text in texts]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters())))
def test_a_word_of_any_text_is_one_word(texts):
    """Splitting a word again does not change it, and it contains no space."""
    for row in split(texts):
        assert split(row) == [[word] for word in row]
        assert not any(word.split() != [word] for word in row)


def test_bytes_that_are_not_utf8():
    texts = [b"\xff\xfe abc", b"ab\xed\xa0\x80cd", b"w\xc3", b"a\xc0\xafb", b"\xe2\x82"]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    assert split(tf.constant(texts)) == split(decoded)
    assert split(["a\ud800b"]) == [["a", "b"]]


def test_one_very_long_text():
    assert split(["é" * 2**20 + " x" * 2**18])[0] == ["é" * 2**20] + ["x"] * 2**18


def test_no_texts():
    assert split_words([]).shape.as_list() == [0, None]


@pytest.mark.parametrize("texts", ["text", [b"text"], [None]])
def test_what_is_no_list_of_strings(texts):
    with pytest.raises(ValueError, match="Expected a list of strings. Received: "):
        to_string_tensor(texts)


@pytest.mark.parametrize(
    "text, words",
    [
        ("ภาษาไทย น้ำ เกาะ ๑๒", "ภา ษา ไท ย น้ํา เกาะ ๑๒"),
        ("ພາສາລາວ", "ພາ ສາ ລາ ວ"),
        ("ភាសាខ្មែរ", "ភា សា ខ្មែ រ"),
        ("မြန်မာဘာသာ ဗုဒ္ဓ", "မြန် မာ ဘာ သာ ဗု ဒ္ဓ"),
        ("བོད་ཡིག", "བོད ཡིག"),
        ("中文abc テスト", "中 文 abc テ ス ト"),
        ("한국어 문장", "한국어 문장"),
        ("हिन्दी में", "हिन्दी में"),
    ],
)
def test_scripts(text, words):
    assert split([text]) == [words.split()]


@pytest.mark.parametrize(
    "one, other",
    [
        ("مُحَمَّد", "محمد"),
        ("العـــربية", "العربية"),
        ("إسلام أحمد آن", "اسلام احمد ان"),
        ("مستشفى مدرسة", "مستشفي مدرسه"),
        ("کتابی", "كتابي"),
        ("שָׁלוֹם", "שלום"),
    ],
)
def test_spellings_of_one_word(one, other):
    assert split([one]) == split([other])
    assert split([one], rule=1) != split([other], rule=1)


def test_accents():
    text = "Clínico ÁÉ Åbo łódź Ελλάδα ё straße ガ हिन्दी 한국"
    assert split([text]) == [text.casefold().replace("ガ", " ガ ").split()]
    folded = "clinico ae abo lodz ελλαδα е strasse ガ हिन्दी 한국"
    assert split([text], fold_accents=True) == [folded.split()]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters())))
def test_words_without_accents_stay(texts):
    for row in split(texts, fold_accents=True):
        assert split(row, fold_accents=True) == [[word] for word in row]
