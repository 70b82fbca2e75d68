import dataclasses

import pytest
import yaml

from tests.helpers.project import PROJECT
from xmc_keras.config.config import Config
from xmc_keras.config.config_conflicts import find_conflicts
from xmc_keras.config.config_file import load_config, save_config

CONFIGS = sorted((PROJECT / "configs").glob("*.yaml"))
DEFAULTS = {
    field.name: field.default
    for field in dataclasses.fields(Config)
    if field.default is not dataclasses.MISSING
}

# Table 1 of the paper: epochs, batch, bottleneck, tokens, top-k clusters, SWA from
# epoch, every steps. The three small sets have one label a cluster.
TABLE = {
    "eurlex4k": (20, 16, None, 512, None, 10, 200),
    "wiki31k": (30, 16, None, 512, None, 10, 300),
    "amazoncat13k": (5, 16, None, 512, None, 2, 10000),
    "wiki500k": (10, 32, 500, 128, 32, 4, 3000),
    "amazon670k": (15, 16, 400, 128, 75, 4, 3000),
}
# The members of the paper's ensembles: three encoders, or three clusterings.
VARIANT_SEEDS = {"seed1": 1, "seed2": 2}
VARIANTS = [path for path in CONFIGS if path.stem.partition("_")[0] in TABLE]
VARIANTS = [path for path in VARIANTS if path.stem not in TABLE]


def config(**values):
    return Config(data="texts", encoder="minilm", **values)


# Epochs, batch size, learning rate, halvings; refresh; width, rate, epochs and batch
# size of the proxy; neighbors: as published for LightDXML.
LIGHTDXML = {
    "eurlex4k": (26, 255, 0.006, [14, 21, 25], 8, 1000, 0.003, 8, 256, 400),
    "wiki31k": (26, 255, 0.009, [14, 21, 25], 6, 600, 0.003, 8, 512, 600),
    "amazoncat13k": (26, 255, 0.007, [14, 21, 25], 4, 600, 0.0002, 4, 256, 500),
    "amazon670k": (21, 128, 0.007, [14], 8, 900, 0.001, 4, 512, 500),
}


# Of ELMO and Renee: tokens, batch, epochs, rates of the encoder and of the head,
# dropout, steps of the warm-up; labels and training documents of the set.
ONE_VS_ALL = {
    "amazon670k": (128, 64, 55, 1e-5, 0.01, 0.75, 1000, 670_091, 490_449),
    "amazon670k_renee": (512, 256, 70, 4e-5, 0.01, 0.8, 10_000, 670_091, 490_449),
    "wiki500k": (256, 128, 35, 2e-5, 0.05, 0.65, 1000, 501_008, 1_779_881),
    "amazontitles670k": (32, 256, 101, 5e-5, 0.05, 0.7, 1000, 670_091, 485_176),
    "amazon3m": (128, 128, 60, 5e-5, 0.05, 0.65, 10_000, 2_812_281, 1_717_899),
    "lf_amazontitles131k": (32, 512, 101, 1e-5, 0.05, 0.85, 5000, 131_073, 294_805),
    "lf_wikiseealso320k": (128, 128, 101, 1e-5, 0.02, 0.75, 5000, 312_330, 693_082),
}


def test_the_recipes_are_there():
    names = {path.stem for path in CONFIGS}
    lightdxml = {f"lightdxml_{name}" for name in [*LIGHTDXML, "debian24k"]}
    variants = {
        f"{name}_{variant}"
        for name, values in TABLE.items()
        for variant in (("roberta", "xlnet") if values[2] is None else VARIANT_SEEDS)
    }
    one_vs_all = {f"one_vs_all_{name}" for name in ONE_VS_ALL}
    ours = {"quickstart", "debian24k", "cascade_debian24k", "hybrid_debian24k"}
    assert names == {*ours, *TABLE, *lightdxml, *variants, *one_vs_all}


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
def test_a_variant_differs_in_its_encoder_or_its_seed_alone(path):
    name, _, variant = path.stem.partition("_")
    recipe, base = load_config(path), load_config(path.with_name(f"{name}.yaml"))
    if variant in VARIANT_SEEDS:
        assert recipe == dataclasses.replace(base, seed=VARIANT_SEEDS[variant])
        return
    encoder = {"roberta": "roberta_base_en", "xlnet": "hf://xlnet/xlnet-base-cased"}
    assert recipe == dataclasses.replace(base, encoder=encoder[variant])
    head = path.read_text("utf-8").split("\n\n")[0]
    assert "# Encoder: " in head


@pytest.mark.parametrize("name", LIGHTDXML)
def test_lightdxml_has_the_published_values(name):
    recipe = load_config(CONFIGS[0].with_name(f"lightdxml_{name}.yaml"))
    keys = "epochs batch_size learning_rate halve_at refresh proxy_dim "
    keys += "proxy_learning_rate proxy_epochs proxy_batch_size num_neighbors"
    found = tuple(getattr(recipe, key) for key in keys.split())
    assert found == LIGHTDXML[name]
    assert recipe.system == "lightdxml" and recipe.encoder == "words"
    assert recipe.residual and not recipe.shared_negatives and not recipe.weight_decay


@pytest.mark.parametrize("name", ONE_VS_ALL)
def test_one_vs_all_has_the_published_values(name):
    recipe = load_config(CONFIGS[0].with_name(f"one_vs_all_{name}.yaml"))
    keys = "max_tokens batch_size epochs learning_rate head_learning_rate "
    keys += "feature_dropout"
    *values, warm_up, num_labels, num_documents = ONE_VS_ALL[name]
    assert [getattr(recipe, key) for key in keys.split()] == values
    assert (recipe.system, recipe.optimizer) == ("one_vs_all", "rowwise_sgd")
    assert (recipe.schedule, recipe.pooling) == ("cosine", "mean")
    assert (recipe.momentum, recipe.table_dtype) == (
        (0.9, "float32") if "renee" in name else (0.0, "bfloat16")
    )
    assert recipe.label_documents == name.startswith("lf_")
    documents = num_documents - 1000 + num_labels * recipe.label_documents
    steps = -(-documents // recipe.batch_size) * recipe.epochs
    assert recipe.warmup * steps == pytest.approx(warm_up, rel=0.03)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
class TestRecipe:
    def test_loads_and_comes_back_from_its_resolved_copy(self, path, tmp_path):
        recipe = load_config(path)
        save_config(recipe, tmp_path / "config.yaml")
        assert load_config(tmp_path / "config.yaml") == recipe

    def test_holds_only_what_differs_from_the_defaults(self, path):
        values = yaml.safe_load(path.read_text("utf-8"))
        loaded = dataclasses.asdict(load_config(path))
        same = [key for key in values if loaded[key] == DEFAULTS.get(key, "required")]
        assert same == []

    def test_head_gives_command_and_what_was_measured(self, path):
        head = path.read_text("utf-8").split("\n\n")[0]
        assert all(line.startswith("#") for line in head.splitlines())
        assert f"python trainers/fit.py configs/{path.name}\n" in head
        assert "# Data: " in head
        assert "# Measured here: " in head


@pytest.mark.parametrize("name", TABLE)
def test_recipe_has_the_values_of_the_paper(name):
    recipe = load_config(CONFIGS[0].with_name(f"{name}.yaml"))
    epochs, batch, bottleneck, tokens, top_k, swa_start, swa_every = TABLE[name]
    assert (recipe.epochs, recipe.batch_size) == (epochs, batch)
    assert (recipe.swa_start, recipe.swa_every) == (swa_start, swa_every)
    assert recipe.max_tokens == tokens
    assert (recipe.learning_rate, recipe.head_learning_rate) == (1e-4, None)
    assert (recipe.schedule, recipe.warmup) == ("constant", 0)
    assert (recipe.optimizer, recipe.weight_decay) == ("adamw", 0.01)
    assert (recipe.num_feature_layers, recipe.feature_dropout) == (5, 0.5)
    if bottleneck is None:
        assert recipe.max_leaf == 1
    else:
        assert (recipe.bottleneck_dim, recipe.top_k) == (bottleneck, top_k)


@pytest.mark.parametrize(
    "name, num_labels, sizes",
    [("wiki500k", 501_008, {61, 62}), ("amazon670k", 670_091, {81, 82})],
)
def test_max_leaf_gives_the_clusters_that_the_recipe_names(name, num_labels, sizes):
    max_leaf = load_config(CONFIGS[0].with_name(f"{name}.yaml")).max_leaf
    clusters = [num_labels]
    while max(clusters) > max_leaf:
        clusters = [half for size in clusters for half in (size // 2, -(-size // 2))]
    assert (len(clusters), set(clusters)) == (8192, sizes)


@pytest.mark.parametrize(
    "values, message",
    [
        (
            {"top_k": 0},
            "Expected top_k to be an integer of at least 1, or null. Received: 0.",
        ),
        ({"epochs": 1.0}, "Expected epochs to be an integer"),
        ({"epochs": None}, "Received: null"),
        ({"feature_dropout": 1.0}, "at least 0 and below 1. Received: 1.0."),
        ({"warmup": 1.01}, "at least 0 and at most 1. Received: 1.01."),
        ({"seed": 2**32}, "at most 4294967295"),
        ({"negatives": "statc"}, "Received: 'statc' (did you mean static?)."),
        ({"bottleneck_activation": "relu"}, "to be sigmoid, or null"),
        ({"swa_start": 3}, "Expected swa_start to be below epochs (3)"),
        ({"optimizer": "rowwise_sgd"}, "Expected label_learning_rate with rowwise_sgd"),
        (
            {"optimizer": "adamw", "table_dtype": "bfloat16"},
            "Expected table_dtype to be float32 with adamw",
        ),
        ({"negatives": "static", "epochs": 1}, "recall_epochs to be below epochs (1)"),
        ({"negatives": "static", "max_leaf": 1}, "negatives to be dynamic"),
    ],
)
def test_wrong_value_is_refused(values, message):
    with pytest.raises(ValueError) as error:
        config(**values)
    assert message in str(error.value)


def test_edges_of_the_limits_are_taken():
    made = config(
        feature_dropout=0, warmup=1, swa_start=2, epochs=3, jit_compile=True, seed=0
    )
    assert made.feature_dropout == 0.0
    assert isinstance(made.feature_dropout, float)
    assert find_conflicts(dataclasses.asdict(made)) == []


def test_config_cannot_be_changed_but_replaced_with_checks():
    made = config()
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.epochs = 9
    assert dataclasses.replace(made, epochs=9).epochs == 9
    with pytest.raises(ValueError, match="epochs"):
        dataclasses.replace(made, epochs=-9)


def test_keys_are_in_the_order_of_their_sections():
    names = [field.name for field in dataclasses.fields(Config)]
    keys = (
        "system",
        "data",
        "epochs",
        "num_predictions",
        "max_leaf",
        "refresh",
        "momentum",
    )
    places = [names.index(key) for key in keys]
    assert places == sorted(places) and names[0] == "system"
    assert names[-1] == "momentum" and len(set(names)) == len(names)
