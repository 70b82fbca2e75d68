"""Loading XLNet from a Hugging Face folder."""

from pathlib import Path

import numpy as np

from xmc_keras.encoders.checkpoints.tensors import read_checkpoint_tensors
from xmc_keras.encoders.xlnet.xlnet_backbone import XLNetBackbone
from xmc_keras.files.bad_input import BadInput
from xmc_keras.text.xlnet_tokenizer import XLNetTokenizer

# The config values that `XLNetBackbone` supports.
EXPECTED = {
    "attn_type": "bi",
    "bi_data": False,
    "clamp_len": -1,
    "same_length": False,
    "layer_norm_eps": 1e-12,
    "untie_r": True,
}
SIZES = {
    "vocabulary_size": "vocab_size",
    "num_layers": "n_layer",
    "num_heads": "n_head",
    "hidden_dim": "d_model",
    "intermediate_dim": "d_inner",
}
# The weights of a layer here, and in a Hugging Face checkpoint.
OF_LAYER = {
    "query_kernel": "rel_attn.q",
    "key_kernel": "rel_attn.k",
    "value_kernel": "rel_attn.v",
    "position_kernel": "rel_attn.r",
    "output_kernel": "rel_attn.o",
    "content_bias": "rel_attn.r_w_bias",
    "position_bias": "rel_attn.r_r_bias",
    "segment_bias": "rel_attn.r_s_bias",
    "segments": "rel_attn.seg_embed",
    "attention_norm/gamma": "rel_attn.layer_norm.weight",
    "attention_norm/beta": "rel_attn.layer_norm.bias",
    "intermediate/kernel": "ff.layer_1.weight",
    "intermediate/bias": "ff.layer_1.bias",
    "narrow/kernel": "ff.layer_2.weight",
    "narrow/bias": "ff.layer_2.bias",
    "feedforward_norm/gamma": "ff.layer_norm.weight",
    "feedforward_norm/beta": "ff.layer_norm.bias",
}
# Other tensors belong to pretraining or to a head.
ENCODER_PREFIXES = ("layer.", "word_embedding.")


def load_xlnet(folder, config, dtype=None):
    """Loads the backbone and tokenizer of an XLNet in Hugging Face's format.

    Args:
        folder: string or path. Holds `model.safetensors` or `pytorch_model.bin`, and
            `spiece.model`.
        config: dictionary. The contents of its `config.json`.
        dtype: optional dtype policy of the backbone.

    Returns:
        `(XLNetBackbone, XLNetTokenizer)`.

    Raises:
        BadInput: a file is missing or damaged, `XLNetBackbone` does not support the
            config, or a tensor is missing, unknown, or of another shape.
    """
    path = Path(folder, "config.json")
    for name, expected in EXPECTED.items():
        if config.get(name, expected) != expected:
            raise BadInput(
                f"Expected {name} to be {expected!r}, as in XLNet's own checkpoints. "
                f"Received: {config[name]!r}. Choose another checkpoint.",
                path,
            )
    try:
        sizes = {name: int(config[there]) for name, there in SIZES.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            f"Expected the sizes of an XLNet. Received: a config without {error}. "
            "Download the file again.",
            path,
        ) from None
    if config.get("d_head", 0) not in (0, sizes["hidden_dim"] // sizes["num_heads"]):
        raise BadInput(
            "Expected d_head to be d_model / n_head. Received: "
            f"{config['d_head']}. Choose another checkpoint.",
            path,
        )
    tensors, path = read_checkpoint_tensors(folder)
    backbone = XLNetBackbone(
        **sizes,
        dropout=float(config.get("dropout", 0.1)),
        dtype=dtype,
        name="xlnet_backbone",
    )
    _assign(backbone, tensors, path)
    vocabulary = Path(folder, "spiece.model")
    try:
        tokenizer = XLNetTokenizer(vocabulary.read_bytes())
    except FileNotFoundError:
        raise BadInput(
            "Expected XLNet's SentencePiece vocabulary. Received: no such file. Put it "
            "next to the weights.",
            vocabulary,
        ) from None
    except Exception as error:  # sentencepiece and tensorflow-text raise many types
        reason = " ".join(str(error).split())[:200]
        raise BadInput(
            "Expected XLNet's SentencePiece vocabulary, with <cls>, <sep> and <pad>. "
            f"Received: another file ({type(error).__name__}: {reason}). Download it "
            "again.",
            vocabulary,
        ) from None
    return backbone, tokenizer


def _assign(backbone, tensors, path):
    """Assigns each weight its tensor, and checks that none is left over."""
    # In a model with a head, the encoder's tensors have this prefix.
    tensors = {name.removeprefix("transformer."): x for name, x in tensors.items()}
    wanted = {"word_embedding.weight": backbone.token_embedding.embeddings}
    for i, layer in enumerate(backbone.transformer_layers):
        weights = {w.path.split(f"{layer.name}/", 1)[1]: w for w in layer.weights}
        for here, there in OF_LAYER.items():
            wanted[f"layer.{i}.{there}"] = weights[here]
    unknown = [x for x in tensors if x not in wanted and x.startswith(ENCODER_PREFIXES)]
    missing = [name for name in wanted if name not in tensors]
    if unknown or missing:
        raise BadInput(
            f"Expected the tensors of an XLNet of {len(backbone.transformer_layers)} "
            f"layers. Received: {len(missing)} missing, {len(unknown)} unknown, the "
            f"first of them {(missing + unknown)[0]}. Config and weights must belong "
            "to the same model.",
            path,
        )
    for name, weight in wanted.items():
        tensor = np.asarray(tensors[name], "float32")
        if name.endswith(("layer_1.weight", "layer_2.weight")):
            tensor = tensor.T  # (outputs, inputs) in PyTorch
        if tensor.shape != tuple(weight.shape):
            raise BadInput(
                f"Expected {name} to have the shape {tuple(weight.shape)}. Received: "
                f"{tensor.shape}. Config and weights must belong to the same model.",
                path,
            )
        weight.assign(tensor)
