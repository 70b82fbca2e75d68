"""Texts that are hard to tokenize."""

import numpy as np

HARD = [
    "Café CAFÉ naïve Bokmål Alcalá",
    "e\u0301 combining ñ n\u0303",
    "a\u200bb\u00adc \u061c",
    "nb\u00a0sp ideographic\u3000space \u2003em",
    "line\u2028and\u2029para",
    "tab\tre\rvt\x0bff\x0c",
    "ctrl\x01\x07\x7f\x85x \ufffd \ufeff \ue000private",
    "ﬁ ﬀ ﬃ ligatures ²³¹ ½ ™ © ® ① … ﾊﾝ",
    "ß STRASSE straße İstanbul ISPARTA ı",
    "ΣΟΦΙΑ ΣΟΦΟΣ σοφός",
    "한국어 텍스트 中文字符 mixed漢字abc カタカナ",
    "नमस्ते दुनिया ไทยภาษา Привет ٣ ۴ Ǆ ǅ Å K Ω",
    "a_b-c.d/e@f`g^h$i~ «q» “x” ‘y’ o’clock a‐b",
    "😀 🇩🇪 👩\u200d👩\u200d👧 ❤\ufe0f",
    "[CLS] [SEP] [MASK] [UNK] [PAD]",
    "qwertz zxcvbnmasdf 0123456789",
    "   ",
    "",
    "nul\0byte",
]


def rows(token_ids, offsets):
    assert token_ids.dtype == np.int32 and offsets.dtype == np.int64
    assert (offsets[0], offsets[-1]) == (0, len(token_ids))
    return [part.tolist() for part in np.split(token_ids, offsets[1:-1])]
