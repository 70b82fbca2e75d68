"""Checking whether a run fits into memory, and which settings help if not."""

import dataclasses

from xmc_keras.config.config_conflicts import find_conflicts
from xmc_keras.config.config_file import FIELDS
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.config.keys.one_vs_all_keys import OneVsAllKeys
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.memory import measure_free_memory
from xmc_keras.training.planning.lightxml_plan import LightXMLPlan
from xmc_keras.training.planning.one_vs_all_plan import OneVsAllPlan

TRANSFORMER_PLANS = {"lightxml": LightXMLPlan, "one_vs_all": OneVsAllPlan}


def check_memory(config, num_labels, most_labels=8, path=None):
    """Raises `BadInput`, with figures and remedies, if a run does not fit into memory.

    Call it before the model is built. TensorFlow is imported only to look for a GPU,
    and if the encoder has to be loaded to find its size.

    Args:
        config: a `Config` of `system: lightxml` or `one_vs_all`.
        num_labels: int. Labels of the training part.
        most_labels: int. Maximum number of labels per document. Defaults to `8`.
        path: optional string or path. The file of the config, for the message.

    Example:

    >>> from xmc_keras.config.config import Config
    >>> config = Config(data="texts", encoder="bert_tiny_en_uncased")
    >>> check_memory(config, num_labels=10**10)
    Traceback (most recent call last):
    xmc_keras.files.bad_input.BadInput: Expected a run that fits into memory. ...
    """
    shape, plan = EncoderShape.named(config.encoder), TRANSFORMER_PLANS[config.system]
    check_plan(plan(config, shape, num_labels, most_labels=most_labels), path)


def check_plan(plan, path=None):
    """Does the same for a plan, a `LightXMLPlan` or `LightDXMLPlan`."""
    room = measure_free_memory()
    if plan.fits(room):
        return
    needs = plan.needs("GPU" in room)
    received = [
        f"{n / 1e9:.1f} GB for the {place}, which has {room[place] / 1e9:.1f}"
        for place, n in needs.items()
        if n > room[place]
    ]
    raise BadInput(
        "Expected a run that fits into memory. Received: an estimate of "
        f"{' and '.join(received)}.",
        path,
        remedy=f"{give_advice(plan, room)} `make_plan` has the figures; "
        "`any_memory=True` starts anyway.",
    )


def give_advice(plan, room):
    """The settings that help, in words; see `find_remedies` and `combine_remedies`.

    Where one-vs-all does not fit, LightXML may: then its needs are the last sentence.
    """
    advice = _advise(plan, room)
    if plan.workers > 1 and plan.config.system != "lightdxml" and not plan.shard_labels:
        shard = dataclasses.replace(plan, shard_labels=True)
        if shard.fits(room):
            needs = format_needs(shard.needs("GPU" in room))
            advice += f" Or deal the label table out, shard_labels: true ({needs})."
    other = _plan_lightxml(plan) if plan.config.system == "one_vs_all" else None
    if other is None or not other.fits(room):
        return advice
    return (
        f"{advice} Or set system: lightxml, whose ranker has rows of bottleneck_dim "
        f"numbers ({format_needs(other.needs('GPU' in room))})."
    )


def _advise(plan, room):
    one_by_one = [
        f"{format_settings(changes)} ({format_needs(changed.needs('GPU' in room))})"
        for changes, changed in find_remedies(plan, room)
    ]
    if not one_by_one:
        return "No setting helps: use a machine with more memory."
    words = f"These help: {', '.join(one_by_one)}."
    combined = combine_remedies(plan, room)
    if combined is None:
        return f"{words} All of them together are not enough."
    changes, changed = combined
    needs = format_needs(changed.needs("GPU" in room))
    return f"{words} It fits with {format_settings(changes)} ({needs})."


def find_remedies(plan, room):
    """Finds changed settings that reduce the memory of a plan, most helpful first.

    Args:
        plan: a `LightXMLPlan` or `LightDXMLPlan`.
        room: dictionary, see `measure_free_memory`.

    Returns:
        List of `(changes, plan)`: a dictionary of config keys to values, and the plan
        with them. With `rowwise_sgd` you have to choose label_learning_rate yourself.
    """
    config = plan.config
    # rowwise_sgd requires a rate; memory does not depend on it.
    rate = {}
    if config.system == "lightxml":
        rate = {"label_learning_rate": config.label_learning_rate or 1.0}
    changes = [{"optimizer": o} for o in FIELDS["optimizer"].metadata["choices"]]
    changes += [{"table_dtype": "bfloat16"}, {"precision": "mixed_bfloat16"}]
    changes += [{"swa_start": None}, {"recompute": True}]
    changes += [{"momentum": 0.0}] if config.momentum else []
    for key, (value, least) in plan.halved.items():
        changes.append({key: max(min(value, least), value // 2)})

    def missing(plan):
        needs = plan.needs("GPU" in room)
        return sum(max(0, n - room[place]) for place, n in needs.items())

    possible = [c for c in changes if not find_conflicts(vars(config) | rate | c)]
    remedies = [(c, plan.changed(**rate, **c)) for c in possible]
    remedies = [pair for pair in remedies if missing(pair[1]) < 0.99 * missing(plan)]
    return sorted(remedies, key=lambda pair: missing(pair[1]))


def _plan_lightxml(plan):
    """The plan of LightXML for the data of a plan of one-vs-all."""
    own = dataclasses.fields(OneVsAllKeys)
    keys = {field.name: field.default for field in own} | {"system": "lightxml"}
    if plan.config.optimizer == "rowwise_sgd":  # it would need another rate
        keys["optimizer"] = FIELDS["optimizer"].default
    config = dataclasses.replace(plan.config, **keys)
    sizes = plan.num_labels, plan.num_documents, plan.most_labels
    workers = plan.workers, plan.shard_labels
    return LightXMLPlan(config, plan.encoder, *sizes, *workers)


def combine_remedies(plan, room):
    """Applies the most helpful of `find_remedies` until the plan fits.

    Returns `(changes, plan)`, or None if it never fits.
    """
    changes = {}
    while not plan.fits(room):
        remedies = find_remedies(plan, room)
        if not remedies:
            return None
        change, plan = remedies[0]
        changes = changes | change
    return changes, plan


def format_settings(changes):
    """Formats settings as in a config."""
    return ", ".join(f"{key}: {format_value(value)}" for key, value in changes.items())


def format_needs(needs):
    """Formats bytes by place in GB."""
    return ", ".join(f"{n / 1e9:.1f} GB" for n in needs.values())
