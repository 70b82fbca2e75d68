"""Whether an encoder knows the language of texts."""

import logging
import re

import numpy as np

from xmc_keras.text.list_texts import list_texts

logger = logging.getLogger(__name__)

SAMPLE, MOST_CHARACTERS = 1000, 2000
# Warned from these shares on. Of real English texts, short titles and descriptions of
# software among them, at most 2 % seem foreign; MiniLM splits their words into 1.1 to
# 1.7 pieces, and knows all but 0.03 %. It splits those of Finnish, Swedish or Korean
# into 3 and more, and does not know 5 % of Thai and half of Chinese. Vocabularies of
# many languages stay near 2 pieces.
FOREIGN, PIECES, UNKNOWN = 0.1, 2.5, 0.02
FUNCTION_WORDS = 1 / 12  # less than that of the words of any language

ENGLISH = """
    a about after all also an and any are as at be been before between but by can could
    did do first for from had has have he her him his how i if in into is it its like
    made may me more most must my new no not now of on one only or other our out over
    she so some such than that the their them then there these they this through to
    two up use using was we were what when where which who will with without would you
    your
"""
# The commonest function words of languages that use few letters beyond ASCII, and
# which are no English words.
OTHERS = """
    de la el los las del que en un una por con para se su es y da dos das em um uma
    ao os le les des et du est dans pour une sur au par qui il di della che gli nel sono
    der und das den von mit im ist dem eine zu auf het een van voor met op zijn och att
    av som till det og til af er ja ei sekä ovat oli ning na nie jest je ve bir bu ile
    cu az egy yang dan untuk dengan dari ini ya wa kwa ang ng sa mga amb els ir un ar
"""
ENGLISH, OTHERS = frozenset(ENGLISH.split()), frozenset(OTHERS.split())

# Names of encoders that read English alone: keras-nlp's presets with "en" in their
# name, and models of the papers on hubs or in folders named after them.
ENGLISH_NAMES = re.compile(
    r"minilm$|(^|[_/-])en([_.-]|$)|(^|/)("
    r"(distil|al)?(ro)?bert(a)?-(base|large|xlarge|xxlarge)((-un)?cased|-cased)?(-v\d)?"
    r"|electra-(small|base|large)-\w+|deberta(-v\d)?-(xsmall|small|base|large)"
    r"|xlnet-(base|large)-cased|all-(minilm|mpnet|distilroberta)[\w-]*)$",
    re.IGNORECASE,
)

REMEDY = (
    "Take an encoder of many languages, such as encoder: bert_base_multi, or the words "
    "of LightDXML, which need no vocabulary: system: lightdxml, encoder: words."
)


def warn_of_language(encoder, texts, tokenizer=None):
    """Logs a warning if an encoder does not know the language of texts.

    Args:
        encoder: string, the name of the encoder in a config.
        texts: list of strings; some of them are looked at.
        tokenizer: optional keras-nlp tokenizer of the encoder. Without it only the
            name of the encoder counts.

    Example:

    >>> warn_of_language("minilm", ["the texts of this data are in English"])
    """
    message = find_unknown_language(encoder, texts, tokenizer)
    if message:
        logger.warning(message)


def find_unknown_language(encoder, texts, tokenizer=None):
    """A sentence on texts whose language an encoder does not know, or None.

    An encoder whose name says that it reads English is compared with the share of texts
    that are not English. For any other the tokenizer is asked: words that it does not
    know, or splits into many pieces, are of a language that it did not learn.

    Args:
        encoder, texts, tokenizer: see `warn_of_language`.

    Example:

    >>> texts = ["historia de la literatura", "la vida en el campo"]
    >>> find_unknown_language("minilm", texts)[:62]
    '2 of 2 texts looked at are not English, and the encoder minilm'
    >>> find_unknown_language("bert_base_multi", texts)
    """
    texts = list_texts(texts)
    sample = texts[:: 1 + (len(texts) - 1) // SAMPLE] if texts else []
    sample = [text[:MOST_CHARACTERS] for text in sample]
    if knows_english_alone(encoder):
        foreign = sum(map(is_foreign, sample))
        if foreign and foreign >= FOREIGN * len(sample):
            return (
                f"{foreign:,} of {len(sample):,} texts looked at are not English, and "
                f"the encoder {encoder} was trained on English. {REMEDY}"
            )
    if tokenizer is None or not sample:
        return None
    pieces, unknown = measure_vocabulary(sample, tokenizer)
    if pieces <= PIECES and unknown <= UNKNOWN:
        return None
    return (
        f"The vocabulary of the encoder {encoder} was made for another language: of "
        f"the words of {len(sample):,} texts looked at it does not know {unknown:.0%}, "
        f"and one has {pieces:.1f} pieces on average. {REMEDY}"
    )


def knows_english_alone(encoder):
    """Whether the name of an encoder says that it was trained on English alone.

    Example:

    >>> names = ["minilm", "roberta_base_en", "hf://roberta-base", "bert_base_multi"]
    >>> [knows_english_alone(name) for name in names]
    [True, True, True, False]
    """
    return ENGLISH_NAMES.search(encoder.rstrip("/")) is not None


def is_foreign(text):
    """Whether a text seems to be of another language than English.

    Most of its letters are not Latin, or words with accents and function words of other
    languages are more than English function words and more than a twelfth of all. A
    list of names has neither, and is not foreign.

    Example:

    >>> texts = ["The café", "la vida en el campo", "Война и мир", "libxml2"]
    >>> [is_foreign(text) for text in texts]
    [False, True, True, False]
    """
    words = re.findall(r"[^\W\d_]+", text.lower())
    letters = "".join(words)
    if 2 * sum(letter >= "\u0250" for letter in letters) > len(letters):
        return True
    english = sum(word in ENGLISH for word in words)
    others = sum(word in OTHERS or not word.isascii() for word in words)
    return others > max(english, FUNCTION_WORDS * len(words))


def measure_vocabulary(texts, tokenizer):
    """How well the vocabulary of an encoder fits texts.

    Args:
        texts: list of strings.
        tokenizer: keras-nlp tokenizer.

    Returns:
        `(pieces, unknown)`, floats: the number of pieces of a word, and the number of
        unknown pieces ([UNK], <unk>) of a word, for the words of `split_words`.
    """
    # Imported late: the rest of this file is used without TensorFlow.
    import tensorflow as tf

    from xmc_keras.text.split_words import NO_WORD, split_words, to_string_tensor
    from xmc_keras.text.text_tokenizer import TextTokenizer

    texts = to_string_tensor(texts)
    num_words = len(split_words(texts).values)
    if not num_words:
        return 1.0, 0.0
    # Punctuation is no word, so its pieces must not count.
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
    texts = tf.strings.regex_replace(texts, NO_WORD, " ")
    pieces = TextTokenizer(tokenizer, MOST_CHARACTERS).ragged_ids(texts).values.numpy()
    vocabulary = set(tokenizer.get_vocabulary())
    unknown = [
        np.count_nonzero(pieces == tokenizer.token_to_id(name))
        for name in ("[UNK]", "<unk>")
        if name in vocabulary
    ]
    # A text has two more tokens, for its start and its end.
    return (len(pieces) - 2 * len(texts)) / num_words, sum(unknown) / num_words
