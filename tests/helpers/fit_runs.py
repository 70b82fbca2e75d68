"""Metrics and history of a run folder, and an exception that interrupts a run."""

import csv
import json

METRICS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP", "PSnDCG") for k in (1, 3, 5)]


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def history(folder):
    with open(folder / "history.csv", newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


class Killed(BaseException):
    pass
