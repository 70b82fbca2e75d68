"""scaling.py: the page agrees with `xmc plan --workers`."""

import json
import shlex

import pytest

from benchmarks import scaling
from tests.helpers.project import PROJECT


def test_the_page_is_up_to_date():
    text = (PROJECT / scaling.PAGE).read_text("utf-8")
    remedy = "run python -m benchmarks.scaling --write"
    assert scaling.with_tables(text) == text, remedy
    with pytest.raises(SystemExit, match="in docs/scaling/memory.md"):
        scaling.with_tables("no table")


@pytest.mark.parametrize("name", ["amazon3m", "one_vs_all_100m"])
def test_the_command_has_the_figures_of_the_table(name, call, monkeypatch):
    room = {"machine": 1e12, "GPU": 1e12}
    monkeypatch.setattr("xmc_keras.cli.plan.measure_free_memory", lambda: room)
    table = scaling.write_table(name).splitlines()
    program, command, recipe, *rest = shlex.split(table[0].strip("`"))
    assert (program, command) == ("xmc", "plan")
    done = call("plan", PROJECT / f"configs/{recipe}.yaml", *rest, "--json")
    assert done.status == 0, done.stderr
    report = json.loads(done.stdout)
    (row,) = [r for r in table if r.startswith("| 8 | dealt out")]
    batch, held, memory, labels, others, _ = row.strip("| ").split(" | ")[2:]
    assert f"{report['worker_documents'] * 8:,}" == batch
    sizes = report["weights_gb"]["label table"], report["moments_gb"]["label table"]
    assert f"{sum(sizes):,.1f}" == held
    assert f"{report['needs_gb']['GPU']:,.1f}" == memory
    received = report["received_mb"]
    of_labels = sum(received.get(k, 0) for k in ("features", "candidates", "logits"))
    assert f"{of_labels:,.0f}" == labels
    assert f"{sum(received.values()) - of_labels:,.0f}" == others
