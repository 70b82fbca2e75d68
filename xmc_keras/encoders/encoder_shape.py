"""The sizes of an encoder, in most cases without loading it."""

import json
import logging
from pathlib import Path
from typing import NamedTuple

from xmc_keras.encoders.pretrained import find_minilm, load_encoder
from xmc_keras.files.bad_input import BadInput

logger = logging.getLogger(__name__)

UNLIMITED = 2**31 - 1  # positions of XLNet, whose positions are relative
# Names of the sizes in the configs of Hugging Face.
FROM_HUGGING_FACE = {
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "hidden_dim": "hidden_size",
    "intermediate_dim": "intermediate_size",
    "vocabulary_size": "vocab_size",
    "max_sequence_length": "max_position_embeddings",
    "num_segments": "type_vocab_size",
}
FROM_XLNET = {
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "d_model",
    "intermediate_dim": "d_inner",
    "vocabulary_size": "vocab_size",
}


class EncoderShape(NamedTuple):
    """The sizes of a BERT, from which its parameters and memory follow.

    RoBERTa is a BERT with `num_segments=0`. For other encoders with similar layers
    parameters and memory are right in order of magnitude.

    Args:
        num_layers, num_heads, hidden_dim, intermediate_dim, vocabulary_size,
            max_sequence_length, num_segments: int. See
            `keras_nlp.models.BertBackbone`. `max_sequence_length` is `UNLIMITED` for
            an encoder that accepts any number of tokens.

    Example:

    >>> shape = EncoderShape.named("bert_base_en_uncased")
    >>> shape.num_layers, shape.parameters
    (12, 108891648)
    """

    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    vocabulary_size: int
    max_sequence_length: int = 512
    num_segments: int = 2

    @classmethod
    def named(cls, encoder):
        """The shape of an encoder by its name in a config.

        Presets in `PRESETS` are known. For a folder and for minilm, `config.json` is
        read. Any other encoder is loaded, which may download it.

        Raises:
            BadInput: it cannot be loaded, or its config lacks the sizes.
        """
        if encoder in PRESETS:
            return PRESETS[encoder]
        folder = find_minilm() if encoder == "minilm" else Path(encoder)
        try:
            return cls.of(json.loads((folder / "config.json").read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            logger.info("Loading %s to find its size", encoder)
        backbone, _ = load_encoder(encoder)
        try:
            return cls.of(backbone.get_config())
        except KeyError as error:
            raise BadInput(
                "Expected an encoder like BERT, whose config contains its sizes. "
                f"Received: {encoder}, without {error}. Its memory cannot be estimated."
            ) from None

    @classmethod
    def of(cls, config):
        """The shape in a config dictionary: `get_config` or `config.json` of keras-nlp,
        or `config.json` of Hugging Face. Raises `KeyError` if a size is missing."""
        config = config.get("config", config)
        names = FROM_HUGGING_FACE if "model_type" in config else {}
        if config.get("model_type") == "xlnet":
            names = FROM_XLNET
        elif "vocabulary_size" not in config and not names:
            names = {"vocabulary_size": "vocab_size"}  # ELECTRA in keras-nlp
        sizes = [config[names.get(field, field)] for field in cls._fields[:5]]
        positions = names.get("max_sequence_length", "max_sequence_length")
        segments = names.get("num_segments", "num_segments")
        sizes.append(config.get(positions, UNLIMITED))
        return cls(*sizes, config.get(segments, 0))

    @property
    def parameters(self):
        """Integer. Number of trained parameters, without the pooler."""
        h, i = self.hidden_dim, self.intermediate_dim
        rows = self.vocabulary_size + self.num_segments
        if self.max_sequence_length != UNLIMITED:
            rows += self.max_sequence_length
        # Four projections and two dense layers with biases, two LayerNorms.
        layer = 4 * (h * h + h) + 2 * h * i + i + h + 4 * h
        return rows * h + 2 * h + self.num_layers * layer

    def kept(self, config):
        """Bytes per token that a training step keeps for the backward pass."""
        c = count_bytes(config)
        # With segments it is a BERT, which `compute_bert_features` trains.
        if self.num_segments and not config.recompute:
            layer = self.hidden_dim * (8 * c + 2) + self.intermediate_dim * 2 * c
        else:
            layer = self.hidden_dim * (18 + 6 * c) + self.intermediate_dim * 5 * c
        layer += self.num_heads * config.max_tokens * (2 * c + 1)
        layers = (self.num_layers + 1) * layer
        if config.recompute:
            layers = layer + self.num_layers * self.hidden_dim * c
        return layers + self.hidden_dim * (9 + c)

    def passing(self, config):
        """Bytes per token that a layer holds at a time in prediction."""
        widest = max(self.intermediate_dim, self.num_heads * config.max_tokens)
        return count_bytes(config) * (6 * self.hidden_dim + 4 * widest)


def count_bytes(config):
    """Bytes of a number in the encoder's compute dtype."""
    return 4 if config.precision == "float32" else 2


# Presets and handles that can be planned without downloading them; of handles as in
# their config.json.
PRESETS = {
    "bert_tiny_en_uncased": EncoderShape(2, 2, 128, 512, 30522),
    "bert_small_en_uncased": EncoderShape(4, 8, 512, 2048, 30522),
    "bert_medium_en_uncased": EncoderShape(8, 8, 512, 2048, 30522),
    "bert_base_en_uncased": EncoderShape(12, 12, 768, 3072, 30522),
    "bert_base_en": EncoderShape(12, 12, 768, 3072, 28996),
    "bert_large_en_uncased": EncoderShape(24, 16, 1024, 4096, 30522),
    "bert_large_en": EncoderShape(24, 16, 1024, 4096, 28996),
    "roberta_base_en": EncoderShape(12, 12, 768, 3072, 50265, 512, 0),
    "roberta_large_en": EncoderShape(24, 16, 1024, 4096, 50265, 512, 0),
    "hf://xlnet/xlnet-base-cased": EncoderShape(
        12, 12, 768, 3072, 32000, UNLIMITED, num_segments=0
    ),
    "hf://sentence-transformers/all-roberta-large-v1": EncoderShape(
        24, 16, 1024, 4096, 50265, 514, 0
    ),
    "hf://sentence-transformers/msmarco-distilbert-base-v4": EncoderShape(
        6, 12, 768, 3072, 30522, 512, 0
    ),
    "hf://sentence-transformers/paraphrase-distilroberta-base-v2": EncoderShape(
        6, 12, 768, 3072, 50265, 514, 0
    ),
}
