"""The tokenizer of XLNet."""

from pathlib import Path

import keras
from keras_nlp.tokenizers import SentencePieceTokenizer


@keras.saving.register_keras_serializable(package="xmc_keras")
class XLNetTokenizer(SentencePieceTokenizer):
    """SentencePiece tokenizer of XLNet, which keras-nlp does not include.

    It only splits and looks up. `TextTokenizer` normalises the texts as XLNet does, and
    appends <sep> and <cls>; a document has no start token.

    Args:
        proto: string, the path of a `spiece.model`, or bytes, its content. The
            vocabulary has "<cls>", "<sep>" and "<pad>".
        **kwargs: other arguments of `keras_nlp.tokenizers.SentencePieceTokenizer`.

    Raises:
        ValueError: one of these tokens is missing.
    """

    def __init__(self, proto, **kwargs):
        for name in ("cls", "sep", "pad"):
            self._add_special_token(f"<{name}>", f"{name}_token")
        super().__init__(proto=proto, **kwargs)

    def load_assets(self, dir_path):
        # keras-nlp leaves the file open.
        self.set_proto(Path(dir_path, *self.file_assets).read_bytes())
