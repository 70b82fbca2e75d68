import dataclasses

import pytest

from xmc_keras.config.at_most import AtMost
from xmc_keras.config.config import Config
from xmc_keras.config.config_file import load_config, save_config
from xmc_keras.config.resolve_config import (
    check_levels,
    describe_sizes,
    is_resolved,
    limit_sizes,
    resolve_config,
)
from xmc_keras.data.documents import Documents
from xmc_keras.data.splits import split_documents
from xmc_keras.files.bad_input import BadInput


def config(**keys):
    return Config(encoder="minilm", **keys)


@pytest.mark.parametrize(
    "documents, held_out",
    [(3, 1), (10, 1), (19, 1), (20, 2), (200, 20), (9999, 999), (10_000, 1000)],
)
def test_a_tenth_is_held_back_and_at_most_1000(documents, held_out):
    assert resolve_config(config(), documents, 50).validation_documents == held_out
    rest, drawn = split_documents(config(), documents)
    assert (len(rest), len(drawn)) == (documents - held_out, held_out)
    million = resolve_config(config(), 10**6, 50)
    assert million.validation_documents == 1000


@pytest.mark.parametrize(
    "labels, top_k", [(1, 1), (100, 1), (101, 2), (800, 8), (1900, 20), (24_043, 20)]
)
def test_all_clusters_are_kept_and_at_most_20(labels, top_k):
    assert resolve_config(config(), 10**5, labels).top_k == top_k


@pytest.mark.parametrize(
    "documents, keys, every",
    [
        (200, {}, None),
        (200, {"swa_start": 0}, 6),  # 180 documents, 32 a step
        (200, {"swa_start": 0, "swa_every": 7}, 7),
        (200, {"swa_start": 0, "train_documents": 10}, 1),
        (10**5, {"swa_start": 0}, 100),
    ],
)
def test_swa_averages_in_a_short_epoch_too(documents, keys, every):
    assert resolve_config(config(**keys), documents, 50).swa_every == every


def test_integers_stay():
    chosen = {"train_documents": 9, "validation_documents": 500, "top_k": 50}
    assert resolve_config(config(**chosen), 10, 3) == config(**chosen)
    assert resolve_config(config(), None, 3).validation_documents is None
    of_words = config(system="lightdxml", validation_documents=4)
    assert resolve_config(of_words, 10, 3) == of_words


def test_limits_are_lowered():
    sizes = {"train_documents": 12_000, "validation_documents": 500, "top_k": 75}
    limits = config(**{key: AtMost(size) for key, size in sizes.items()})
    assert limits == config(**sizes)
    small, large = (
        resolve_config(limits, 200, 150),
        resolve_config(limits, 10**6, 10**5),
    )
    assert dataclasses.asdict(large) == dataclasses.asdict(config(**sizes))
    found = small.train_documents, small.validation_documents, small.top_k
    assert found == (180, 20, 2)
    assert all(type(size) is int for size in found)
    assert describe_sizes(limits, small) == (
        "train_documents: 180 instead of 12000, validation_documents: 20 instead of "
        "500, top_k: 2 instead of 75"
    )
    assert describe_sizes(limits, large) == ""
    fits = config(validation_documents=AtMost(100))
    assert resolve_config(fits, 200, 9).validation_documents == 100
    assert resolve_config(fits, 199, 9).validation_documents == 19
    changed = dataclasses.replace(limits, epochs=9)
    assert type(changed.top_k) is AtMost


def test_which_sizes_were_chosen_for_other_data(tmp_path):
    base, recipe = tmp_path / "base.yaml", tmp_path / "recipe.yaml"
    base.write_text("data: a\nencoder: minilm\ntop_k: 40\ntrain_documents: 500\n")
    recipe.write_text("base: base.yaml\ndata: b\ntop_k: 30\n")

    def limits(path, *overrides):
        found = load_config(path, overrides)
        keys = ("train_documents", "validation_documents", "top_k")
        return {key for key in keys if isinstance(getattr(found, key), AtMost)}

    assert limits(base) == set()
    assert limits(base, "data=b") == {"top_k", "train_documents"}
    assert limits(base, "data=b", "top_k=30") == {"train_documents"}
    assert limits(base, "top_k=30", "data=b") == {"train_documents"}
    assert limits(base, "top_k=null", "data=b") == {"train_documents"}
    assert limits(recipe) == {"train_documents"}
    assert limits(recipe, "data=c") == {"top_k", "train_documents"}
    assert limits(recipe, "epochs=2") == {"train_documents"}

    found = load_config(base, ["top_k=30"], data="null # 'c'")
    assert found.data == "null # 'c'"
    assert (type(found.top_k), type(found.train_documents)) == (int, AtMost)


def test_documents_of_other_data(tmp_path):
    chosen = config(data=str(tmp_path), top_k=75)
    own, other, memory = (
        Documents(["a"], [["x"]], texts_path=path and str(path / "train_texts.txt"))
        for path in (tmp_path, tmp_path / "..", None)
    )
    assert type(limit_sizes(chosen, own).top_k) is int
    assert type(limit_sizes(chosen, other).top_k) is AtMost
    assert type(limit_sizes(chosen, memory).top_k) is AtMost
    assert type(limit_sizes(config(top_k=75), memory).top_k) is int
    assert limit_sizes(chosen, memory).validation_documents is None


def test_a_limit_is_saved_as_its_number(tmp_path):
    save_config(config(top_k=AtMost(75)), tmp_path / "config.yaml")
    assert "top_k: 75\n" in (tmp_path / "config.yaml").read_text()
    assert type(load_config(tmp_path / "config.yaml", resolved=True).top_k) is int


def test_what_a_resumed_run_may_have_resolved():
    assert is_resolved("top_k", None, 3)
    assert is_resolved("top_k", AtMost(5), 3) and not is_resolved("top_k", AtMost(2), 3)
    assert not is_resolved("top_k", 5, 3)
    assert not is_resolved("train_documents", None, 3)
    assert not is_resolved("train_documents", AtMost(5), None)
    assert not is_resolved("epochs", 4, 3)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({}, None),
        ({"levels": [2, 128]}, None),
        ({"levels": [2, 256]}, r"levels below .* 256, .* Received: levels=\[2, 256\]"),
        (
            {"levels": [2, 4], "level_top_k": [1, 3]},
            r"level_top_k whose 1 of 2 .* the 3 .*: at most 2\.",
        ),
        (
            {"levels": [128], "level_top_k": [9]},
            r"level_top_k whose 9 of 128 .* the 20 .*: at most 18\.",
        ),
        ({"levels": [128], "level_top_k": [10]}, None),
        # The default keeps as many as there are, or as top_k.
        ({"levels": [8, 16], "top_k": 256}, None),
        ({"top_k": 257}, "top_k to be at most the number of clusters, 256"),
    ],
)
def test_levels_fit_the_number_of_labels(keys, message):
    found = resolve_config(config(**keys), None, 24_043)
    if message is None:
        check_levels(found, 24_043)
        return
    with pytest.raises(BadInput, match=f"Expected {message}") as error:
        check_levels(found, 24_043)
    assert error.value.remedy


def test_levels_of_a_run_are_saved_with_it(tmp_path):
    keys = {"levels": [2, 8], "level_top_k": [2, 4], "level_layers": [1, [2, 3], 4, 6]}
    saved = resolve_config(config(**keys), 100, 5000)
    save_config(saved, tmp_path / "config.yaml")
    loaded = load_config(tmp_path / "config.yaml", resolved=True)
    assert loaded == saved and loaded.level_layers == [[1], [2, 3], [4], [6]]
