"""The trials of a search, best first, as a table."""

import json

from xmc_keras.config.config_file import save_recipe
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.runs.finished_runs import read_metrics
from xmc_keras.runs.read_history import read_history
from xmc_keras.runs.run_folder import RunFolder
from xmc_keras.training.search.trial_study import name_trial

PRECISION = ("P@1", "P@3", "P@5")


def list_trials(study):
    """The trials of a `TrialStudy`, best first.

    Returns:
        List of dictionaries: `trial`, its name; `ended`, a word: finished, pruned,
        diverged or unfinished; `values`, a dictionary of keys to values; P@1, P@3 and
        P@5 in percent on the validation split, of a pruned trial after its last epoch,
        or None; `epochs`, the number trained; and `train_seconds`, or None.
    """
    space, rows = study.space, []
    for trial in study.trials:
        run, metrics = study.run(trial.number), trial.user_attrs.get("metrics", {})
        history = read_history(run.history_path)
        last = history[-1] if history else {}
        found = metrics.get("validation") or {
            name: 100 * last[f"val_precision_at_{name[2:]}"] if last else None
            for name in PRECISION
        }
        row = {"trial": name_trial(trial.number), "ended": _ended(trial)}
        row["values"] = space.values(trial.params)
        row |= {k: None if x is None else round(x, 2) for k, x in found.items()}
        row |= {"epochs": len(history), "train_seconds": metrics.get("train_seconds")}
        rows.append((trial, row))
    rows.sort(key=lambda pair: _rank(*pair))
    return [row for _, row in rows]


def _ended(trial):
    if trial.state.name == "PRUNED":
        return "diverged" if "diverged" in trial.user_attrs else "pruned"
    return "finished" if trial.state.name == "COMPLETE" else "unfinished"


def _rank(trial, row):
    """Finished trials first, by value; of equal ones the earlier, as Optuna does."""
    order = ("finished", "pruned", "diverged", "unfinished")
    value = trial.value if row["ended"] == "finished" else row["P@5"] or 0
    return order.index(row["ended"]), -value, trial.number


def format_trials(rows):
    """Formats the rows of `list_trials` as a Markdown table."""
    keys = list(rows[0]["values"]) if rows else []
    head = ["trial", *keys, *PRECISION, "trained epochs", "train s", "ended"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        cells = [row["trial"], *(format_value(row["values"][key]) for key in keys)]
        cells += ["" if row[k] is None else f"{row[k]:.2f}" for k in PRECISION]
        seconds = row["train_seconds"]
        cells += [str(row["epochs"]), "" if seconds is None else f"{seconds:.0f}"]
        lines.append([*cells, row["ended"]])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def save_trials(study):
    """Writes `sweep.md`, `sweep.json` and the recipe `best.yaml` into the folder.

    Args:
        study: the `TrialStudy`.

    Returns:
        `(rows, best)`: the result of `list_trials`, and its first row if that trial is
        finished, otherwise None.
    """
    rows, best = list_trials(study), None
    if rows and rows[0]["ended"] == "finished":
        best = rows[0]
        shown = ", ".join(f"{name} {best[name]:.2f}" for name in PRECISION)
        save_recipe(
            RunFolder(study.folder / best["trial"]).config(),
            study.folder / "best.yaml",
            f"{best['trial']}, the best of {len(rows)} trials of xmc sweep --search: "
            f"{shown} on the validation split.",
        )
    runs, failed = {}, []
    for row in rows:
        if row["ended"] == "finished":
            runs[row["trial"]] = read_metrics(RunFolder(study.folder / row["trial"]))
        elif row["ended"] == "unfinished":
            failed.append(row["trial"])
    # The keys of other sweeps, and the best.
    report = {"rows": rows, "runs": runs, "failed": failed, "best": best}
    for name, text in (
        ("sweep.json", json.dumps(report, indent=2) + "\n"),
        ("sweep.md", format_trials(rows)),
    ):
        with atomic_write(study.folder / name) as file:
            file.write(text.encode())
    return rows, best
