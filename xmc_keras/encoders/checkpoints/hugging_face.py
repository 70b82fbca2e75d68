"""Hugging Face checkpoints: their config, and what keras-nlp does not load."""

import json
from pathlib import Path

from xmc_keras.encoders.activations import FROM_HUGGING_FACE, set_activation
from xmc_keras.encoders.checkpoints.tensors import (
    SAFETENSORS,
    TORCH,
    read_checkpoint_tensors,
)
from xmc_keras.files.bad_input import BadInput

HANDLE = "hf://"
# Model type, and the config key of its activation.
ACTIVATION = {
    **dict.fromkeys(("albert", "bert", "roberta", "xlm-roberta"), "hidden_act"),
    "distilbert": "activation",
    "xlnet": "ff_activation",
}


def read_hugging_face_config(source):
    """Reads the `config.json` of a Hugging Face model.

    Args:
        source: string. A folder, or `"hf://owner/name"`.

    Returns:
        Dictionary with `model_type`; empty if `source` is not a Hugging Face model.
    """
    if source.startswith(HANDLE):
        path = _download(source, "config.json")
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
    """Folder with the files of an XLNet, downloaded if `source` is a handle."""
    if not source.startswith(HANDLE):
        return Path(source)
    from huggingface_hub.errors import EntryNotFoundError

    try:
        path = _download(source, SAFETENSORS)
    except EntryNotFoundError:
        path = _download(source, TORCH)
    _download(source, "spiece.model")
    return Path(path).parent


def set_checkpoint_activation(backbone, source, config):
    """Corrects a backbone loaded by keras-nlp to match its checkpoint.

    Sets the activation, which keras-nlp fixes per kind of backbone. For RoBERTa it also
    adds the vector of the only token type to all position embeddings: it is zero in
    RoBERTa's own checkpoints, but not in checkpoints trained from other models.

    Raises:
        BadInput: the activation is unknown.
    """
    key = ACTIVATION.get(config.get("model_type"))
    if key is None:
        return
    name = config.get(key, "gelu")
    if name not in FROM_HUGGING_FACE:
        raise BadInput(
            f"Expected {key} of the encoder to be one of "
            f"{', '.join(sorted(FROM_HUGGING_FACE))}. Received: {name!r}. Choose "
            "another checkpoint.",
            source,
        )
    set_activation(backbone, FROM_HUGGING_FACE[name])
    if config["model_type"] == "roberta":
        # keras-nlp reads only safetensors, so the file exists.
        path = (
            Path(_download(source, SAFETENSORS)).parent
            if source.startswith(HANDLE)
            else source
        )
        tensors, _ = read_checkpoint_tensors(path)
        types = [x for n, x in tensors.items() if "token_type_embeddings" in n]
        positions = backbone.embeddings.position_embedding.position_embeddings
        positions.assign(positions + sum(x[:1] for x in types))


def _download(source, name):
    from huggingface_hub import hf_hub_download

    return hf_hub_download(source.removeprefix(HANDLE), name)
