import keras
import keras_nlp
import pytest

from tests.helpers.project import RECORDED
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

PATH = RECORDED / "xlnet/spiece.model"


@pytest.mark.filterwarnings("ignore:unclosed file")  # by keras-nlp
def test_from_path_and_bytes_and_config():
    tokenizer = XLNetTokenizer(PATH.read_bytes())
    assert XLNetTokenizer(str(PATH)).proto == tokenizer.proto
    ids = [tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id]
    assert ids == [3, 4, 5]
    assert isinstance(tokenizer, keras_nlp.tokenizers.Tokenizer)


def test_is_saved_as_keras_saves_it(tmp_path):
    tokenizer = XLNetTokenizer(PATH.read_bytes())
    config = keras.saving.serialize_keras_object(tokenizer)
    assert len(str(config)) < 1000  # the vocabulary is an asset
    tokenizer.save_assets(str(tmp_path))
    again = keras.saving.deserialize_keras_object(config)
    again.load_assets(str(tmp_path))
    assert again.proto == tokenizer.proto
    assert again.cls_token_id == 3
