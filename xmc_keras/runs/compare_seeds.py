"""Comparing runs of several configs over several seeds, as a table."""

import json
import statistics


def summarize(found, quality):
    """Summarizes each config over its seeds.

    Args:
        found: dictionary of config names to dictionaries of seeds to metrics.
        quality: list of names of metrics.

    Returns:
        List of dictionaries, one per config, with `config`, `seeds` (list), and for
        `train_seconds` and each of `quality` a dictionary of `mean` and `deviation`.
        Those of `quality` also have `vs_first`, the mean difference from the first
        config over the seeds that both have.
    """
    first = next(iter(found.values()))
    rows = []
    for name, runs in found.items():
        row = {"config": name, "seeds": sorted(runs)}
        for key in [*quality, "train_seconds"]:
            values = {seed: runs[seed][key] for seed in row["seeds"]}
            row[key] = mean_and_deviation(list(values.values()))
            if key in quality and runs is not first:
                others = {seed: first[seed][key] for seed in first}
                row[key]["vs_first"] = difference(values, others)["mean"]
        rows.append(row)
    return rows


def mean_and_deviation(values):
    """`{"mean", "deviation"}` of numbers; None if there are too few."""
    return {
        "mean": round_statistic(statistics.mean, values),
        "deviation": round_statistic(statistics.stdev, values, least=2),
    }


def difference(ours, theirs):
    """`mean_and_deviation` of `ours - theirs`, over the seeds that both have.

    >>> difference({0: 5.0, 1: 7.0, 3: 4.0}, {1: 6.0, 2: 9.0, 3: 4.0})
    {'mean': 0.5, 'deviation': 0.71}
    """
    return mean_and_deviation([ours[s] - theirs[s] for s in ours if s in theirs])


def round_statistic(statistic, values, least=1):
    """The rounded statistic; None for fewer than `least` values."""
    return round(statistic(values), 2) if len(values) >= least else None


def format_json(rows, configs, found, failed):
    """Formats all results as JSON."""
    rows = [{**row, "path": str(configs[row["config"]])} for row in rows]
    report = {"rows": rows, "runs": found, "failed": failed}
    return json.dumps(report, indent=2) + "\n"


def format_markdown(rows, quality):
    """Formats the rows of `summarize` as a Markdown table."""
    head = ["config", "seeds", *quality, "P@1 vs first", "P@5 vs first", "train s"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["config"], str(len(row["seeds"]))]
        cells += [format_cell(row[key]) for key in quality]
        for key in ("P@1", "P@5"):
            difference = row[key].get("vs_first")
            cells.append("" if difference is None else f"{difference:+.2f}")
        lines.append([*cells, format_cell(row["train_seconds"], 0)])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def format_cell(value, digits=2):
    """Formats the result of `mean_and_deviation`."""
    if value["mean"] is None:
        return "not measured"
    text = f"{value['mean']:.{digits}f}"
    if value["deviation"] is not None:
        text += f" ± {value['deviation']:.{digits}f}"
    return text
