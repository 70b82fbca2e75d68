import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from xmc_keras.text.ngrams import BUCKETS, hash_ngrams

TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=6).map(" ".join), max_size=4)


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(1, 4))
def test_sequences_of_words(texts, max_ngram):
    expected = []
    for words in map(str.split, texts):
        expected.append(
            [
                " ".join(words[i : i + n])
                for n in range(1, max_ngram + 1)
                for i in range(len(words) - n + 1)
            ]
        )
    found = hash_ngrams(texts, max_ngram).to_list()
    names = sorted({name for row in expected for name in row})
    hashes = tf.strings.to_hash_bucket_fast(tf.constant(names, tf.string), BUCKETS)
    number = dict(zip(names, hashes.numpy().tolist()))
    assert len(set(number.values())) == len(names)
    assert found == [[number[name] for name in row] for row in expected]
