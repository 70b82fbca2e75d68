"""recipes.py: the page and the heads of recipes agree with `xmc plan`."""

import json
import re
import shlex

import pytest

from benchmarks import recipes
from tests.helpers.project import PROJECT
from xmc_keras.config.config_file import load_config

ONE_VS_ALL = ["one_vs_all_amazon3m", "one_vs_all_lf_wikiseealso320k"]
REMEDY = "run python -m benchmarks.recipes --write"


@pytest.fixture(scope="module")
def plans():
    return recipes.recipes()


def test_page_and_recipes_are_up_to_date(plans):
    names = {path.stem for path in plans}
    some = {"eurlex4k", "wiki500k_seed2", "one_vs_all_amazon670k_renee"}
    assert len(plans) == 22 and some <= names
    text = (PROJECT / recipes.PAGE).read_text("utf-8")
    assert recipes.with_table(text, plans) == text, REMEDY
    for path, plan in plans.items():
        text = path.read_text("utf-8")
        assert recipes.with_needs(text, path, plan) == text, REMEDY
        assert max(map(len, text.splitlines())) <= 90


@pytest.mark.parametrize("name", ["eurlex4k_roberta", "amazon670k", *ONE_VS_ALL])
def test_the_command_in_a_recipe_says_what_the_recipe_says(name, call, monkeypatch):
    text = (PROJECT / f"configs/{name}.yaml").read_text("utf-8")
    head = " ".join(text.partition("\n\n")[0].replace("\n#", "").split())
    gpu, machine, alone, steps, command = re.search(
        r"Needs: ([\d.]+) GB of GPU memory and ([\d.]+) GB of main memory, or ([\d.]+) "
        r"GB of main memory without a GPU, plus the texts; ([\d,]+) steps. Estimated "
        r"by (.*); --measure adds the hours.",
        head,
    ).groups()
    program, name, recipe, *rest = shlex.split(command)
    assert (program, name) == ("xmc", "plan")
    for room in ({"machine": 1e12, "GPU": 1e12}, {"machine": 1e12}):
        monkeypatch.setattr("xmc_keras.cli.plan.measure_free_memory", lambda: room)
        result = call("plan", PROJECT / recipe, *rest, "--json")
        assert result.status == 0, result.stderr
        report = json.loads(result.stdout)
        assert f"{report['steps']:,}" == steps
        wanted = {"machine": machine, "GPU": gpu}
        wanted = wanted if "GPU" in room else {"machine": alone}
        assert {k: f"{n:.1f}" for k, n in report["needs_gb"].items()} == wanted


def test_amazon3m_fits_a_gpu_of_24_gb(plans):
    [plan] = [plan for path, plan in plans.items() if path.stem == ONE_VS_ALL[0]]
    assert plan.num_labels == 2_812_281 and plan.config.batch_size == 128
    assert plan.fits({"GPU": 24e9 * 0.9, "machine": 8e9})
    wide = plan.changed(table_dtype="float32", optimizer="rowwise_adamw")
    assert not wide.fits({"GPU": 24e9, "machine": 8e9})


def test_a_change_of_a_recipe_is_brought_in(plans, tmp_path):
    path = PROJECT / "configs/eurlex4k.yaml"
    plan = plans[path].changed(batch_size=32)
    text = path.read_text("utf-8")
    changed = recipes.with_needs(text, path, plan)
    steps = f"{plans[path].steps:,} steps", f"{plan.steps:,} steps"
    flat = [" ".join(t.replace("\n#", "").split()) for t in (text, changed)]
    assert steps[0] in flat[0] and steps[1] in flat[1] and steps[0] not in flat[1]
    # What the recipe does is as it was, and a second time changes nothing.
    (tmp_path / "a.yaml").write_text(changed)
    assert load_config(tmp_path / "a.yaml") == load_config(path)
    assert recipes.with_needs(changed, path, plan) == changed
    bare = re.sub(r"# Needs: .*\n(# .*\n)*", "", text)
    assert "Needs" not in bare and recipes.with_needs(bare, path, plan) == changed
    with pytest.raises(SystemExit, match="Expected a line '# Measured here"):
        recipes.with_needs(text.replace("Measured here", "Measured"), path, plan)
    with pytest.raises(SystemExit, match="in docs/results/paper_sets.md"):
        recipes.with_table("no table", plans)
