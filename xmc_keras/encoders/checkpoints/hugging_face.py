"""Checkpoints in Hugging Face's form, and what keras-nlp leaves out of them."""

import json
from pathlib import Path

from xmc_keras.bad_input import BadInput
from xmc_keras.encoders.activations import FROM_HUGGING_FACE, set_activation
from xmc_keras.encoders.checkpoints.tensors import (
    SAFETENSORS,
    TORCH,
    read_checkpoint_tensors,
)

HANDLE = "hf://"
# Encoders, and how their configs name the activation.
ACTIVATION = {
    **dict.fromkeys(("albert", "bert", "roberta", "xlm-roberta"), "hidden_act"),
    "distilbert": "activation",
    "xlnet": "ff_activation",
}


def read_hugging_face_config(source):
    """What `config.json` says of a folder or handle; {} where it is no such model.

    Args:
        source: string. A folder, or `"hf://owner/name"`.

    Returns:
        Dictionary. It has `model_type` if it is Hugging Face's.
    """
    if source.startswith(HANDLE):
        path = _downloaded(source, "config.json")
    elif "://" in source:
        return {}
    else:
        path = Path(source, "config.json")
    try:
        config = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return config if isinstance(config, dict) and "model_type" in config else {}


def find_xlnet_folder(source):
    """Folder with an XLNet's files, downloaded if `source` is a handle."""
    if not source.startswith(HANDLE):
        return Path(source)
    from huggingface_hub.errors import EntryNotFoundError

    try:
        path = _downloaded(source, SAFETENSORS)
    except EntryNotFoundError:
        path = _downloaded(source, TORCH)
    _downloaded(source, "spiece.model")
    return Path(path).parent


def set_checkpoint_activation(backbone, source, config):
    """Changes a backbone that keras-nlp has loaded to what its checkpoint says.

    The activation, of which keras-nlp knows one for each kind of backbone. And for
    RoBERTa the vector of the one token type there is, which comes to all positions:
    zeros in RoBERTa's own checkpoints, but not in those trained from others.

    Raises:
        BadInput: the activation is one that is not known here.
    """
    key = ACTIVATION.get(config.get("model_type"))
    if key is None:
        return
    name = config.get(key, "gelu")
    if name not in FROM_HUGGING_FACE:
        raise BadInput(
            f"Expected {key} of the encoder to be one of "
            f"{', '.join(sorted(FROM_HUGGING_FACE))}. Received: {name!r}. Take another "
            "checkpoint.",
            source,
        )
    set_activation(backbone, FROM_HUGGING_FACE[name])
    if config["model_type"] == "roberta":
        # keras-nlp reads safetensors only, so they are there.
        path = (
            Path(_downloaded(source, SAFETENSORS)).parent
            if source.startswith(HANDLE)
            else source
        )
        tensors, _ = read_checkpoint_tensors(path)
        types = [x for n, x in tensors.items() if "token_type_embeddings" in n]
        positions = backbone.embeddings.position_embedding.position_embeddings
        positions.assign(positions + sum(x[:1] for x in types))


def _downloaded(source, name):
    from huggingface_hub import hf_hub_download

    return hf_hub_download(source.removeprefix(HANDLE), name)
