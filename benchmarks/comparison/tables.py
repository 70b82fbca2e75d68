"""The Markdown tables of a comparison."""

import re
import statistics

from xmc_keras.runs.compare_seeds import difference, format_cell, mean_and_deviation

QUALITY = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@3", "PSP@5")
ASKED = ("P@1", "P@3", "P@5", "PSP@5")  # of the summary
# What times and sizes are compared with.
YARDSTICK = "omikuji"
SEED = re.compile(r"(\bseed[= ])\d+")


def by_name(records):
    """Dictionary from data to dictionary from name to its records, in their order."""
    found = {}
    for record in records:
        named = found.setdefault(record["data"], {})
        named.setdefault(record["name"], []).append(record)
    return found


def peers_of(named):
    return {n: found for n, found in named.items() if found[0]["kind"] == "peer"}


def systems_of(named):
    return {n: found for n, found in named.items() if found[0]["kind"] == "system"}


def mean_metric(records, metric):
    return statistics.mean(record["metrics"][metric] for record in records)


def best_of_peers(named, metric):
    """The highest mean of a metric among the peers, None without peers."""
    means = [mean_metric(records, metric) for records in peers_of(named).values()]
    return max(means, default=None)


def baselines_of(named):
    """Dictionary from a baseline to records, of the first system that has it."""
    for records in systems_of(named).values():
        if records[0].get("baselines"):
            return {
                name: [{"metrics": record["baselines"][name]} for record in records]
                for name in records[0]["baselines"]
            }
    return {}


def markdown(rows):
    """Rows of strings, the head first, as a Markdown table."""
    rows = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def quality_table(named):
    """Means of the metrics; in parentheses those of systems minus the best peer's."""
    rows = [["", "runs", *QUALITY]]
    for name, records in [*in_order(named).items(), *baselines_of(named).items()]:
        row = [name, str(len(records))]
        for metric in QUALITY:
            values = [record["metrics"][metric] for record in records]
            cell = format_cell(mean_and_deviation(values))
            best = best_of_peers(named, metric)
            if best is not None and name in systems_of(named):
                cell += f" ({mean_metric(records, metric) - best:+.2f})"
            row.append(cell)
        rows.append(row)
    return markdown(rows)


def in_order(named):
    """Systems before peers."""
    return {**systems_of(named), **peers_of(named)}


def cost_table(named):
    """Means of times, memory and size."""
    head = ["", "training", "process", "CPU", "peak", "model", "a document", "phases"]
    rows = [head]
    for name, records in in_order(named).items():
        phases = {
            phase: statistics.mean(record["phase_seconds"][phase] for record in records)
            for phase in records[0]["phase_seconds"]
            if all(phase in record["phase_seconds"] for record in records)
        }
        rows.append(
            [
                name,
                f"{mean_of(records, 'training_seconds'):.1f} s",
                f"{mean_of(records, 'process', 'seconds'):.1f} s",
                f"{mean_of(records, 'process', 'cpu_seconds'):.1f} s",
                f"{mean_of(records, 'process', 'peak_gb'):.2f} GB",
                f"{mean_of(records, 'model_mb'):.1f} MB",
                f"{mean_of(records, 'ms_a_document'):.2f} ms",
                ", ".join(f"{phase} {s:.1f}" for phase, s in phases.items()),
            ]
        )
    return markdown(rows)


def mean_of(records, *keys):
    """The mean of a value within the records."""
    values = []
    for record in records:
        for key in keys:
            record = record[key]
        values.append(record)
    return statistics.mean(values)


def summary_table(found):
    """Each system over all data sets: its distance from the best peers, its cost."""
    sets = {data: named for data, named in found.items() if peers_of(named)}
    head = ["system", "data sets", *(f"{metric}, least" for metric in ASKED)]
    rows = [[*head, "below a baseline", "time", "CPU", "size"]]
    for name in dict.fromkeys(n for named in sets.values() for n in systems_of(named)):
        ours = {data: named for data, named in sets.items() if name in named}
        row = [name, str(len(ours))]
        for metric in ASKED:
            gaps = [
                mean_metric(named[name], metric) - best_of_peers(named, metric)
                for named in ours.values()
            ]
            row.append(f"{statistics.mean(gaps):+.2f}, {min(gaps):+.2f}")
        row.append(str(sum(is_below(name, named) for named in ours.values())))
        for keys in (["training_seconds"], ["process", "cpu_seconds"], ["model_mb"]):
            row.append(most_times(name, ours, *keys))
        rows.append(row)
    return markdown(rows)


def is_below(name, named):
    """Whether a system is below a baseline at one of the metrics of the summary."""
    return any(
        mean_metric(named[name], metric) < mean_metric(records, metric)
        for records in baselines_of(named).values()
        for metric in ASKED
    )


def most_times(name, sets, *keys):
    """The largest of a value's multiples of the yardstick's, over data sets."""
    factors = [
        mean_of(named[name], *keys) / mean_of(named[YARDSTICK], *keys)
        for named in sets.values()
        if YARDSTICK in named
    ]
    return f"{max(factors):.1f} x" if factors else "not measured"


def section(data, named):
    """A data set: its sizes and both tables."""
    about = next(iter(named.values()))[0]
    text = (
        f"{about['train_documents']:,} training and {about['test_documents']:,} test "
        f"documents, {about['labels']:,} labels in training."
    )
    if about["unknown_share"]:
        share = 100 * about["unknown_share"]
        share = f"{share:.1f}" if share >= 0.1 else "Less than 0.1"
        text += (
            f" {share} % of the labels of test documents "
            "are not among them: relevant, and out of reach for all."
        )
    return f"### {data}\n\n{text}\n\n{quality_table(named)}\n{cost_table(named)}"


def origins(found):
    """The commands, commits and machine of each row."""
    rows = {}
    for named in found.values():
        for name, records in in_order(named).items():
            rows.setdefault(name, []).extend(records)
    lines = []
    for name, records in rows.items():
        commands = [SEED.sub(r"\1N", record["command"]) for record in records]
        parts = [", ".join(f"`{command}`" for command in dict.fromkeys(commands))]
        parts.append("commit " + ", ".join(dict.fromkeys(r["commit"] for r in records)))
        parts += dict.fromkeys(describe(record["machine"]) for record in records)
        loads = [record["machine"]["load"] for record in records]
        parts.append(f"load {min(loads)} to {max(loads)}")
        if records[0]["kind"] == "peer":
            versions = records[0]["versions"].items()
            parts.append(", ".join(f"{name} {number}" for name, number in versions))
        lines.append(f"- {name}: {'; '.join(parts)}.\n")
    return f"### Where the rows come from\n\n{''.join(lines)}"


def describe(machine):
    amx = {True: "with AMX", False: "without AMX"}.get(machine["amx"], "")
    words = [machine["processor"], amx, f"{machine['cores']} cores"]
    return f"{' '.join(filter(None, words))}, {machine['ram_gb']} GB"


def all_tables(records):
    """The whole text, empty without records."""
    found = by_name(records)
    parts = [section(data, named) for data, named in sorted(found.items())]
    if any(peers_of(named) and systems_of(named) for named in found.values()):
        parts.insert(0, f"### All sets\n\n{summary_table(found)}")
    if parts:
        parts.append(origins(found))
    return "\n".join(parts)


def difference_tables(records, reference):
    """All systems and peers compared with one of them, on the sets that have it."""
    found = {d: named for d, named in by_name(records).items() if reference in named}
    parts = [
        f"### {data}\n\n{difference_table(named, reference)}"
        for data, named in sorted(found.items())
    ]
    return "\n".join([*parts, origins(found)] if parts else [])


def difference_table(named, reference):
    """The means of the reference, and the mean differences from it, paired by seed."""
    rows = [["", "seeds", *ASKED, "training", "model"]]
    first = by_seed(named[reference])
    order = [reference, *(name for name in in_order(named) if name != reference)]
    for name in order:
        ours = by_seed(named[name])
        row = [name, str(len(ours.keys() & first.keys()))]
        for metric in ASKED:
            values, others = (
                {seed: record["metrics"][metric] for seed, record in records.items()}
                for records in (ours, first)
            )
            if name == reference:
                row.append(format_cell(mean_and_deviation(list(values.values()))))
            else:
                cell = format_cell(difference(values, others))
                row.append(f"+{cell}" if cell[0].isdigit() else cell)
        row.append(f"{mean_of(named[name], 'training_seconds'):.1f} s")
        row.append(f"{mean_of(named[name], 'model_mb'):.1f} MB")
        rows.append(row)
    return markdown(rows)


def by_seed(records):
    return {record["seed"]: record for record in records}
