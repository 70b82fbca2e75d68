"""Choosing the features of texts, words and n-grams, by simple facts."""

import re

from xmc_keras.text.list_texts import list_texts

SAMPLE, MOST_CHARACTERS = 2000, 10_000

# With fewer words in all texts, n-grams of characters gained points; with more, none.
FEW_WORDS = 400_000
CHAR_NGRAMS = (3, 5)
# With fewer words, features of a single text were kept where texts have fewer than 100
# words: a rare name identifies a label. In reports of pages, words of fewer than 5
# texts are noise.
SOME_WORDS, SHORT, REPORT = 1_000_000, 100, 200
FEW_TEXTS = 100  # times the least number of texts that a feature has to be in
MOST_FEATURES = 100_000

CHARACTERS = re.compile(
    "[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]"
)
SYLLABLES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f]")


def choose_text_features(texts):
    """Chooses n-grams and limits of features for texts, and says why.

    Measured by a one-vs-all linear model on parts of the training documents of five
    sets, see the page on settings of LightDXML:

    1. Chinese, Japanese, and scripts such as Thai, whose words are n-grams of
       characters or syllables: pairs, or triples. Not measured.
    2. With fewer than 400,000 words in all texts: words, and n-grams of 3 to 5
       characters.
    3. With more: words alone. Pairs of words lost points on most sets; on all of
       Debian-24K they gain none, and double the time of training.

    With fewer than a million words, a feature has to be in 1 text if these have fewer
    than 100 words, in 2 if these have fewer than 200, else in 5. The share of words
    that occur once, 0.42 to 0.54, does not separate the sets.

    Args:
        texts: list of strings, the training documents. Some are looked at.

    Returns:
        `(keys, reason)`: a dict of `max_ngram` (int), `char_ngrams` (list of two ints,
        or None), `min_documents` and `max_features` (int or None), the values of the
        keys of a config; and a sentence.

    Example:

    >>> keys, reason = choose_text_features(["How to keep bread fresh"] * 1000)
    >>> keys["max_ngram"], keys["char_ngrams"]
    (1, [3, 5])
    >>> reason
    'about 5,000 words in 1,000 texts are few: n-grams of characters join word forms'
    """
    texts = list_texts(texts)
    sample = texts[:: 1 + (len(texts) - 1) // SAMPLE] if texts else []
    sample = [text[:MOST_CHARACTERS] for text in sample]
    letters = sum(map(str.isalpha, "".join(sample)))
    keys = {
        "max_ngram": 1,
        "char_ngrams": None,
        "min_documents": None,
        "max_features": None,
    }
    for script, length, parts in [
        (CHARACTERS, 2, "characters"),
        (SYLLABLES, 3, "syllables"),
    ]:
        if 2 * sum(len(script.findall(text)) for text in sample) > letters:
            keys |= {"max_ngram": length, "max_features": MOST_FEATURES}
            return keys, f"texts without spaces: words are up to {length} {parts}"
    words = sum(len(re.findall(r"\w+", text)) for text in sample)
    words = round(words * len(texts) / max(len(sample), 1))
    size = f"about {words:,} words in {len(texts):,} texts"
    if words < SOME_WORDS:
        mean = words / max(len(texts), 1)
        least = 1 if mean < SHORT else 2 if mean < REPORT else 5
        keys["min_documents"] = min(least, max(1, len(texts) // FEW_TEXTS))
    if words < FEW_WORDS:
        keys["char_ngrams"] = list(CHAR_NGRAMS)
        return keys, f"{size} are few: n-grams of characters join word forms"
    keys["max_features"] = MOST_FEATURES
    return keys, f"{size} are enough for words alone"
