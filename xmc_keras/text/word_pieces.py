"""WordPiece vocabularies, with what BERT does to a text before."""

import tensorflow as tf
import tensorflow_text as tf_text

# BERT drops control, format and private characters and U+FFFD. Tab, newline and
# carriage return stay: they separate words.
DROPPED = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\p{Cf}\p{Co}\x{FFFD}]+"
# keras-nlp splits at ASCII white space only, and a word with a no-break space
# inside is [UNK]. ASCII is left out here: replacing every space costs time.
SPACES = r"[\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"


class WordPieces:
    """Splits texts into the pieces of a WordPiece vocabulary, in a graph.

    Args:
        tokenizer: a keras-nlp tokenizer with a WordPiece vocabulary. Of it only the
            vocabulary is used: case and accents are seen to here.
        strip_accents: optional boolean. None strips them where the vocabulary is
            uncased: the tokenizer says `lowercase`, or no entry has an upper case
            letter.

    Attributes:
        lowercase, strip_accents: boolean.
        tokenizer: a keras-nlp tokenizer that only splits and looks up.
    """

    def __init__(self, tokenizer, strip_accents=None):
        self.lowercase = _is_uncased(tokenizer)
        if strip_accents is None:
            strip_accents = self.lowercase or tokenizer.strip_accents
        self.strip_accents = strip_accents
        config = tokenizer.get_config()
        config["vocabulary"] = tokenizer.get_vocabulary()
        config["split_on_cjk"] = tokenizer.split_on_cjk
        config["lowercase"] = config["strip_accents"] = False
        config["special_tokens_in_strings"] = False
        self.tokenizer = type(tokenizer).from_config(config)

    def normalise(self, texts):
        """From valid UTF-8 (documents,) to what the vocabulary is looked up with."""
        texts = tf.strings.regex_replace(texts, DROPPED, "")
        texts = tf.strings.regex_replace(texts, SPACES, " ")
        if self.strip_accents:
            texts = tf_text.normalize_utf8(texts, "NFD")
            texts = tf.strings.regex_replace(texts, r"\p{Mn}+", "")
        if self.lowercase:
            # `case_fold_utf8` would apply NFKC. ASCII first, because lower case
            # beyond ASCII follows the locale, and a Turkish one turns I into ı.
            texts = tf.strings.lower(tf.strings.lower(texts), encoding="utf-8")
        return texts

    def __call__(self, texts, most):
        """Ids of normalised texts, `tf.RaggedTensor` (documents, None), `most` each."""
        return tf.cast(self.tokenizer(texts), tf.int32)[:, :most]


def _is_uncased(tokenizer):
    words = [word for word in tokenizer.get_vocabulary() if word[:1] != "["]
    return tokenizer.lowercase or words == [word.lower() for word in words]
