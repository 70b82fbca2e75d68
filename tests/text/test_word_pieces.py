import keras_nlp
import tensorflow as tf

from xmc_keras.text.word_pieces import WordPieces

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cafe", "au", "##x"]


def ids(pieces, texts, most):
    return tf.function(lambda x: pieces(x, most), autograph=False)(texts).to_list()


def test_normalises_and_looks_up():
    pieces = WordPieces(keras_nlp.models.BertTokenizer(WORDS))
    assert pieces.lowercase and pieces.strip_accents
    texts = pieces.normalise(tf.constant(["CAFÉ\u00a0Au\u200bX", ""]))
    assert [text.decode() for text in texts.numpy()] == ["cafe aux", ""]
    assert ids(pieces, texts, 5) == [[5, 6, 7], []]
    assert ids(pieces, texts, 2) == [[5, 6], []]


def test_cased():
    pieces = WordPieces(keras_nlp.models.BertTokenizer([*WORDS, "Au"]))
    assert not pieces.lowercase and not pieces.strip_accents
    texts = pieces.normalise(tf.constant(["Au au É"]))
    assert ids(pieces, texts, 5) == [[8, 6, 1]]
