"""Words of texts: case, accents, scripts and splitting, as graph ops."""

import tensorflow as tf
import tensorflow_text as tf_text

from xmc_keras.text.list_texts import list_texts

# Part of the digest of everything made from words. Increase it when the rule changes,
# and keep the old rule: saved models go on splitting by theirs.
RULE_VERSION = 2
RULES = (1, RULE_VERSION)

NO_WORD = r"[^\p{L}\p{M}\p{N}_]+"

# Scripts without spaces between words. Each part is a word, and most real words are
# n-grams of these. Rule 1 knows Chinese and Japanese alone.
CHARACTERS = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
# A consonant with its marks, the vowel that is written before it and the one after it.
THAI = r"[เ-ไ]?[ก-ฮ]\p{M}*[ะาๅ]*"
LAO = r"[ເ-ໄ]?[ກ-ຮໜ-ໟ]\p{M}*[ະາຽ]*"
# A sign that stacks consonants (U+17D2) binds the next one.
KHMER = r"[ក-ឳ](?:\x{17D2}[ក-ឳ]|\p{M})*"
# U+1039 stacks consonants; a consonant with U+103A ends the syllable.
MYANMAR_LETTER = r"[က-ဪဿၐ-ၕၚ-ၝၡၥၦၮ-ၰၵ-ႁႎꩠ-ꩯꩱ-ꩶꩺꩾꩿ]"
MYANMAR = (
    rf"{MYANMAR_LETTER}"
    rf"(?:\x{{1039}}{MYANMAR_LETTER}|{MYANMAR_LETTER}\x{{1037}}?\x{{103A}}|\p{{M}})*"
)
OTHERS = r"[\p{Tai_Le}\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Ahom}]\p{M}*"
ALONE = {1: f"({CHARACTERS})"}
ALONE[2] = f"({'|'.join([CHARACTERS, THAI, LAO, KHMER, MYANMAR, OTHERS])})"

# What writers of Arabic, Persian, Urdu and Hebrew write or leave out as they like:
# vowel signs, the stretching tatweel, and forms of the same letter. As in Lucene's
# ArabicNormalizer and PersianNormalizer.
FORMS = {
    "[\u0640\ufb1e\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
    "\u08d3-\u08e1\u08e3-\u08ff]+": "",
    "[\u0622\u0623\u0625\u0671]": "\u0627",  # alef
    "[\u0649\u06cc\u06d2]": "\u064a",  # yeh
    "[\u0629\u06c0\u06c1\u06c2\u06d5]": "\u0647",  # teh marbuta and heh
    "\u06a9": "\u0643",  # kaf
}

# Letters whose stroke or ligature is no mark that can be taken off.
WHOLE = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"}
ACCENTS = r"[\x{0300}-\x{036F}]+"  # not those of Indic and other scripts, which differ


def split_words(texts, fold_accents=False, rule=RULE_VERSION):
    """Splits texts into normalised words.

    1. Invalid UTF-8 becomes U+FFFD.
    2. Unicode's NFKC_Casefold unifies case, width, ligatures and composed accents, and
       drops invisible characters such as the soft hyphen.
    3. Arabic and Hebrew lose vowel signs and tatweel, and the forms of alef, yeh, kaf
       and heh that writers confuse become one, as in search engines.
    4. Scripts without spaces are split into their smallest written parts: characters
       of Chinese and Japanese; consonants with their vowels and marks in Thai, Lao,
       Khmer, Myanmar and other Tai scripts. Real words are n-grams of these. Tibetan
       needs no rule: a tsheg between syllables is no letter.
    5. Otherwise a word is a longest run of letters, marks, numbers and underscores.

    Accents stay by default: "ä" and "a" are different letters of Finnish.

    Training runs the same graph ops as a SavedModel: a second implementation would
    have to agree on 1.1 million characters. The ops do not depend on the locale. Two
    TensorFlow versions may differ on characters newer than the Unicode version that
    they include: with every code point placed between two letters, TensorFlow 2.12 and
    2.20 disagree only on some that were added in Unicode 13 to 16.

    Args:
        texts: string tensor (documents,) of any bytes, or list of strings, in which
            lone surrogates count as U+FFFD.
        fold_accents: bool. Whether accents of Latin, Greek and Cyrillic letters are
            taken off. Defaults to `False`.
        rule: int. `1` for models of earlier versions: step 3 is left out, and step 4
            knows Chinese and Japanese alone. Defaults to the newest.

    Returns:
        `tf.RaggedTensor` of UTF-8 strings, (documents, None).

    Example:

    >>> [w.decode() for w in split_words(["Ｓtraße-Café\\0x_2, 東京!"]).values.numpy()]
    ['strasse', 'café', 'x_2', '東', '京']
    >>> split_words(["Clínico"], fold_accents=True).values.numpy().tolist()
    [b'clinico']
    >>> split_words(["", "..."]).row_lengths().numpy().tolist()
    [0, 0]
    """
    texts = to_string_tensor(texts)
    with tf.device("CPU:0"):  # the only device with string ops
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        texts = tf_text.case_fold_utf8(texts)
        if rule > 1:
            texts = _replace(texts, FORMS)
        if fold_accents:
            texts = tf_text.normalize_utf8(texts, "NFD")
            texts = _replace(texts, {ACCENTS: ""})
            texts = _replace(texts, WHOLE)
        if rule > 1:  # marks that others kept apart may compose now
            texts = tf_text.normalize_utf8(texts, "NFC")
        texts = tf.strings.regex_replace(texts, ALONE[rule], r" \1 ")
        texts = tf.strings.regex_replace(texts, NO_WORD, " ")
        return tf.strings.split(texts)  # at ASCII white space: no other is left


def _replace(texts, rules):
    for pattern, replacement in rules.items():
        texts = tf.strings.regex_replace(texts, pattern, replacement)
    return texts


def to_string_tensor(texts):
    """Converts a list of strings to a string tensor (texts,); a tensor is returned."""
    if tf.is_tensor(texts):
        return texts
    # A lone surrogate becomes invalid UTF-8 here and U+FFFD in `split_words`.
    encoded = [text.encode("utf-8", "surrogatepass") for text in list_texts(texts)]
    return tf.constant(encoded, tf.string, [len(encoded)])
