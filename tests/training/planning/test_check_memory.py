import re
import sys

import pytest
import yaml

from xmc_keras.config.config import Config
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.planning import check_memory as module
from xmc_keras.training.planning.check_memory import (
    check_memory,
    combine_remedies,
    find_remedies,
    give_advice,
)
from xmc_keras.training.planning.lightxml_plan import LightXMLPlan

LABELS = 670_091


def make_config(**keys):
    keys = {"encoder": "bert_base_en_uncased", "optimizer": "adamw", **keys}
    return Config(data="texts", top_k=75, bottleneck_dim=400, **keys)


def make_plan(**keys):
    config = make_config(**keys)
    return LightXMLPlan(config, EncoderShape.named(config.encoder), LABELS)


@pytest.fixture
def room(monkeypatch):
    """Free memory, to be set by a test."""
    room = {"machine": 10**12}
    monkeypatch.setattr(module, "measure_free_memory", lambda: room)
    return room


def test_what_fits_passes(room, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)  # not imported
    needs = make_plan().needs()["machine"]
    room["machine"] = needs
    check_memory(make_config(), LABELS)
    room["machine"] = needs - 1
    with pytest.raises(BadInput):
        check_memory(make_config(), LABELS)
    # A document of more labels gathers more rows.
    room["machine"] = needs
    with pytest.raises(BadInput):
        check_memory(make_config(), LABELS, most_labels=100)


def test_the_message_has_figures_and_what_helps(room):
    needs = make_plan().needs()["machine"] / 1e9
    room["machine"] = 7e9
    with pytest.raises(BadInput) as error:
        check_memory(make_config(), LABELS, path="a.yaml")
    message = str(error.value)
    assert message.startswith("a.yaml: Expected a run that fits")
    assert f"{needs:.1f} GB for the machine, which has 7.0" in message
    rowwise = make_plan(optimizer="rowwise_adamw").needs()["machine"] / 1e9
    assert f"optimizer: rowwise_adamw ({rowwise:.1f} GB)" in message
    assert "optimizer: adamw" not in message and "swa_start" not in message
    # The last settings named are enough.
    changes, needs = re.search(r"It fits with (.*) \((.*) GB\)", message).groups()
    keys = dict(change.split(": ") for change in changes.split(", "))
    keys = {key: yaml.safe_load(value) for key, value in keys.items()}
    found = make_plan().changed(label_learning_rate=1.0, **keys)
    assert found.fits(room)
    assert f"{found.needs()['machine'] / 1e9:.1f}" == needs


def test_remedies_are_in_order_and_no_more_than_needed():
    plan = make_plan(swa_start=0)
    room = {"machine": plan.needs()["machine"] / 2}
    found = find_remedies(plan, room)
    needs = [p.needs()["machine"] for _, p in found]
    assert needs == sorted(needs) and needs[-1] < plan.needs()["machine"]
    assert {"swa_start": None} in [changes for changes, _ in found]
    for changes, changed in found:
        assert changed == plan.changed(label_learning_rate=1.0, **changes)
        assert "label_learning_rate" not in changes
    # Only what goes together: a bfloat16 table is none for adamw.
    assert {"table_dtype": "bfloat16"} not in [changes for changes, _ in found]
    changes, changed = combine_remedies(plan, room)
    assert changed == plan.changed(label_learning_rate=1.0, **changes)
    assert changed.fits(room) and combine_remedies(changed, room) == ({}, changed)
    rowwise = plan.changed(optimizer="rowwise_adamw")
    found = find_remedies(rowwise, {"machine": rowwise.needs()["machine"] - 1})
    assert {"table_dtype": "bfloat16"} in [changes for changes, _ in found]
    # Nothing to remedy.
    assert find_remedies(plan, plan.needs()) == []


def test_on_a_gpu_the_place_that_lacks_counts(room):
    plan = make_plan(swa_start=0)
    needs = plan.needs(gpu=True)
    room.update(needs, GPU=needs["GPU"] * 0.9)
    changes = [changes for changes, _ in find_remedies(plan, room)]
    assert {"optimizer": "rowwise_adamw"} in changes
    assert {"swa_start": None} not in changes  # averages are on the machine
    with pytest.raises(BadInput) as error:
        check_memory(plan.config, LABELS)
    assert "for the GPU" in str(error.value)
    assert "for the machine" not in str(error.value)
    room.update(needs, machine=needs["machine"] - 1)
    assert {"swa_start": None} in [changes for changes, _ in find_remedies(plan, room)]


def test_where_no_setting_helps():
    plan = make_plan()
    assert combine_remedies(plan, {"machine": 1e8}) is None
    assert give_advice(plan, {"machine": 1e8}).endswith("together are not enough.")
    tiny = LightXMLPlan(
        Config(
            data="texts",
            encoder="bert_tiny_en_uncased",
            batch_size=1,
            predict_batch_size=1,
            max_tokens=8,
            bottleneck_dim=4,
        ),
        EncoderShape.named("bert_tiny_en_uncased"),
        10,
    )
    assert find_remedies(tiny, {"machine": 1e6}) == []
    assert give_advice(tiny, {"machine": 1e6}).startswith("No setting helps")
