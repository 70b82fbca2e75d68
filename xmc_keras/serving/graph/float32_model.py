"""Conversion of a model of any precision to float32."""

import operator

import keras

from xmc_keras.lightdxml.lightdxml import LightDXML
from xmc_keras.recommending.hybrid import Hybrid


def convert_to_float32(model):
    """Converts a model to one with the same weights that computes in float32.

    In a graph, half precision would be slower on most CPUs and give coarser scores.

    Args:
        model: a built `LightXML` or `LightDXML`, with any dtype policy.

    Returns:
        `model` itself if it computes in float32, otherwise a new model.
    """
    if isinstance(model, Hybrid):
        members = model.transformer, model.words
        copies = [convert_to_float32(member) for member in members]
        if all(map(operator.is_, members, copies)):
            return model
        copy = Hybrid(*copies)
        copy.label_weights.assign(model.label_weights)
        copy.calibration = model.calibration
        return copy
    config = {**model.get_config(), "tokenizer": None}
    plain = _in_float32(config)
    if plain == config:
        return model
    copy = type(model).from_config(plain)
    copy.tokenizer, copy.label_set = model.tokenizer, model.label_set
    copy.calibration = model.calibration
    inputs = {"token_ids": keras.ops.zeros((1, 2), "int32")}
    if isinstance(model, LightDXML) and model.tokenizer is None:
        copy.vectorizer = model.vectorizer
        inputs["token_weights"] = keras.ops.zeros((1, 2))
    else:
        inputs["padding_mask"] = inputs["token_ids"]
    copy(inputs, training=False)
    copy.set_weights(model.get_weights())
    return copy


def _in_float32(config):
    if isinstance(config, (list, tuple)):
        return type(config)(_in_float32(value) for value in config)
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "DTypePolicy" and "float16" in str(config):
        return {**config, "config": {"name": "float32"}}
    return {key: _in_float32(value) for key, value in config.items()}
