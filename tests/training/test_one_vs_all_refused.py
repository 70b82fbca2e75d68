"""One sentence with a remedy for what one-vs-all cannot be trained with."""

import pytest
import yaml

from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config
from xmc_keras.config.resolve_config import limit_sizes, resolve_config
from xmc_keras.data.documents import Documents, read_documents
from xmc_keras.encoders.encoder_shape import EncoderShape
from xmc_keras.files.bad_input import BadInput
from xmc_keras.training.callbacks.diverged import Diverged
from xmc_keras.training.callbacks.finite_loss import FiniteLoss
from xmc_keras.training.fit import fit
from xmc_keras.training.planning.check_memory import give_advice
from xmc_keras.training.planning.one_vs_all_plan import OneVsAllPlan

GB = 10**9


@pytest.fixture
def recipe(tiny_data, tiny_encoder, tmp_path):
    keys = {
        "system": "one_vs_all",
        "data": str(tiny_data),
        "encoder": str(tiny_encoder),
        "num_feature_layers": 1,
        "max_tokens": 16,
        "epochs": 1,
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(keys))
    return path


def sgd(*more):
    return ["optimizer=rowwise_sgd", *more]


@pytest.mark.parametrize(
    "settings, message, remedy",
    [
        (["block_labels=0"], "an integer of at least 1, or null. Received: 0", ""),
        (
            ["block_labels=21"],
            "at most the number of labels, 20. Received: 21",
            "Leave",
        ),
        (["momentum=0.9"], "Expected momentum with rowwise_sgd", "rowwise_sgd, or mom"),
        (["momentum=1"], "and below 1. Received: 1", ""),
        (
            sgd("momentum=0.9", "table_dtype=bfloat16"),
            "table_dtype to be float32 with momentum",
            "Set momentum: 0, for a quarter of the memory, or table_dtype",
        ),
        (["optimizer=adamw", "table_dtype=bfloat16"], "to be float32 with adamw", ""),
        (["top_k=3"], "Received: top_k, a key of lightxml", "set system: lightxml"),
        (["max_leaf=7"], "Received: max_leaf, a key of lightxml", "set system: lightx"),
        (["refresh=3"], "Received: refresh, a key of lightdxml", "set system: lightdx"),
        (["projection_dim=0"], "an integer of at least 1, or null. Received: 0", ""),
        (["encoder=words"], "Expected a transformer", "Set system: lightdxml"),
        (["schedule=halving"], "linear, constant or cosine for one_vs_all", ""),
        *(
            ([f"system={system}", f"{key}=1"], f"{key}, a key of one_vs_all", "Remove")
            for system in ("lightxml", "lightdxml")
            for key in ("block_labels", "projection_dim")
        ),
        (
            ["system=lightxml", "momentum=0.5"],
            "momentum, a key of one_vs_all",
            "Remove",
        ),
    ],
)
@pytest.mark.parametrize("command", ["fit", "plan"])
def test_settings(command, settings, message, remedy, recipe, tmp_path, call):
    arguments = [argument for key in settings for argument in ("--set", key)]
    arguments += ["--run", tmp_path / "run"] if command == "fit" else []
    result = call(command, recipe, *arguments, tensorflow=False)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert (result.status, len(errors)) == (2, 1), result.stderr
    assert message in errors[0] and remedy in errors[0]
    assert not (tmp_path / "run").exists()


def test_blocks_in_memory_and_of_other_data(recipe, tiny_data, tmp_path):
    train = read_documents(tiny_data, "train")
    config = load_config(recipe, ["block_labels=21"])
    with pytest.raises(BadInput, match="labels, 20. Received: 21. Leave block_labels"):
        fit(config, train, progress=False)
    # A recipe's blocks, chosen for its own labels, are a limit on other data.
    recipe.write_text(recipe.read_text() + "block_labels: 10000\n")
    texts, labels = ["word0a", "word1a", "word2b"] * 20, [["a"], ["b"], ["c"]] * 20
    config = limit_sizes(load_config(recipe), Documents(texts, labels))
    assert resolve_config(config, 60, 3).block_labels == 3
    moved = load_config(recipe, data=str(tmp_path))
    assert type(moved.block_labels) is not int and moved.block_labels == 10_000


def test_float16_overflows(recipe, tmp_path, call):
    keys = sgd("precision=mixed_float16", "head_learning_rate=1e30", "warmup=0")
    settings = [argument for key in keys for argument in ("--set", key)]
    settings += ["--set", "epochs=3", "--set", "batch_size=8"]
    result = call("fit", recipe, "--run", tmp_path / "run", *settings)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert (result.status, len(errors)) == (2, 1), result.stderr
    assert "Expected training to converge. Received: " in errors[0]
    assert "or set precision: mixed_bfloat16 or clip_norm" in errors[0]


def test_float32_does_not():
    callback = FiniteLoss()
    callback.on_epoch_begin(0)
    with pytest.raises(Diverged) as error:
        callback.check("loss", {"loss": float("inf")})
    assert "precision" not in str(error.value)


def plan(num_labels, **keys):
    config = Config(
        system="one_vs_all",
        encoder="bert_base_en_uncased",
        num_feature_layers=1,
        **keys,
    )
    return OneVsAllPlan(config, EncoderShape.named(config.encoder), num_labels)


def test_a_table_that_does_not_fit():
    room = {"machine": 64 * GB, "GPU": 12 * GB}
    advice = give_advice(plan(2_812_281), room)
    for setting in (
        "optimizer: rowwise_sgd",
        "table_dtype: bfloat16",
        "projection_dim: 384",
        "It fits with optimizer: rowwise_sgd, table_dtype: bfloat16 (",
    ):
        assert setting in advice
    # A block's gradient is large where the row of a label is long.
    blocks = plan(10**6, num_predictions=5, batch_size=1, max_tokens=8)
    wide = blocks.changed(block_labels=10**6)
    assert "block_labels: 500000" in give_advice(wide, {"machine": 10 * GB})
    momentum = plan(2_812_281, optimizer="rowwise_sgd", momentum=0.9)
    assert "momentum: 0.0 (" in give_advice(momentum, {"machine": 18 * GB})
    advice = give_advice(plan(10**9), room)
    assert advice.endswith("All of them together are not enough.")


def test_lightxml_is_named_where_it_fits():
    needs = plan(670_091).needs(gpu=True)
    for share, named in ((0.75, True), (0.4, False)):
        room = {"machine": 64 * GB, "GPU": share * needs["GPU"]}
        advice = give_advice(plan(670_091), room)
        assert ("Or set system: lightxml, whose ranker has rows" in advice) == named


def test_the_message_of_a_training(recipe, monkeypatch, call, tmp_path):
    room = {"machine": GB}
    monkeypatch.setattr(
        "xmc_keras.training.planning.check_memory.measure_free_memory", lambda: room
    )
    result = call("fit", recipe, "--run", tmp_path / "run", tensorflow=False)
    errors = [li for li in result.stderr.splitlines() if li.startswith("error: ")]
    assert (result.status, len(errors)) == (2, 1), result.stderr
    assert "Expected a run that fits into memory" in errors[0]
    assert "--any-memory starts anyway" in errors[0]
    assert not (tmp_path / "run").exists()
