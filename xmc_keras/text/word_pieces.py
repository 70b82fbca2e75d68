"""WordPiece tokenization with BERT's normalisation, in a graph."""

import tensorflow as tf
import tensorflow_text as tf_text

# BERT removes control, format and private characters and U+FFFD. Tab, newline and
# carriage return stay: they separate words.
DROPPED = r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\p{Cf}\p{Co}\x{FFFD}]+"
# keras-nlp splits at ASCII white space only, so a word with a no-break space inside
# would be [UNK]. ASCII is left out here: replacing every space costs time.
SPACES = r"[\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}]"


class WordPieces:
    """Splits texts into the pieces of a WordPiece vocabulary, in a graph.

    Texts are lowercased if the vocabulary is uncased: the tokenizer has `lowercase`, or
    no entry has an upper case letter.

    Args:
        tokenizer: a keras-nlp tokenizer with a WordPiece vocabulary. Only its
            vocabulary is used for splitting: case and accents are handled here.
        strip_accents: optional bool. Defaults to `None`: `True` if the vocabulary is
            uncased or the tokenizer has `strip_accents`.

    Attributes:
        lowercase, strip_accents: bool.
        tokenizer: a keras-nlp tokenizer that only splits and looks up.

    Example:

    >>> from keras_nlp.models import BertTokenizer
    >>> vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "##s"]
    >>> pieces = WordPieces(BertTokenizer(vocabulary))
    >>> ids = tf.function(lambda texts: pieces(pieces.normalise(texts), most=8))
    >>> ids(tf.constant(["Cafés", ""])).to_list()
    [[5, 6], []]
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
        """Normalises valid UTF-8 (documents,) as BERT does."""
        texts = tf.strings.regex_replace(texts, DROPPED, "")
        texts = tf.strings.regex_replace(texts, SPACES, " ")
        if self.strip_accents:
            texts = tf_text.normalize_utf8(texts, "NFD")
            texts = tf.strings.regex_replace(texts, r"\p{Mn}+", "")
        if self.lowercase:
            # `case_fold_utf8` would also apply NFKC. ASCII first: lower case beyond
            # ASCII depends on the locale, and a Turkish one turns I into ı.
            texts = tf.strings.lower(tf.strings.lower(texts), encoding="utf-8")
        return texts

    def __call__(self, texts, most):
        """Tokenises normalised texts (documents,).

        Returns:
            int32 `tf.RaggedTensor` (documents, None), at most `most` ids per document.
        """
        return tf.cast(self.tokenizer(texts), tf.int32)[:, :most]


def _is_uncased(tokenizer):
    words = [word for word in tokenizer.get_vocabulary() if word[:1] != "["]
    return tokenizer.lowercase or words == [word.lower() for word in words]
