"""Model card of an exported version."""

import datetime
import importlib.metadata

import yaml

from xmc_keras.config.config import SYSTEMS

LIBRARIES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")
METRICS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
# The keys of metrics.json that a card needs.
CARD_KEYS = ["P@1", "P@3", "P@5", "train_documents", "propensity_a", "propensity_b"]
PARTS = {"test": "the test part", "validation": "the validation documents"}


def write_model_card(
    runs, signatures, table_dtype, dense_dtype, weights=None, calibrated_on=0
):
    """Writes the model card of a version as Markdown text.

    Args:
        runs: list of dictionaries with `name`; `config`, a dictionary, or None for a
            model without a run; `num_labels`; and `metrics`, those of metrics.json, or
            None if the exported model was not evaluated.
        signatures: dictionary of the name of a signature to its description.
        table_dtype, dense_dtype: strings. dtypes of label tables and other weights.
        weights: optional list of floats. Weight of each run in an ensemble.
        calibrated_on: int. Documents that the scores of an ensemble are calibrated on.
            Defaults to `0`: they are not.

    Returns:
        string.
    """
    configs = [run["config"] or {} for run in runs]
    systems = dict.fromkeys(SYSTEMS.get(x.get("system"), "A model") for x in configs)
    calibrated = []
    if calibrated_on:
        what = f"on {calibrated_on:,} documents that no run was trained on"
        calibrated = [f"- Scores: mean of the runs, calibrated {what}"]
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [
        f"# {' + '.join(run['name'] for run in runs)}",
        "",
        f"{' + '.join(systems)}: extreme multi-label text classification, made with "
        "xmc_keras.",
        "",
        f"- Exported: {now:%Y-%m-%d %H:%M} UTC",
        f"- Stored: label tables {table_dtype}, other weights {dense_dtype}; computes "
        "in float32",
        f"- Versions: {name_versions()}",
        *calibrated,
        "",
        "## Signatures",
        "",
        *(f"- `{name}`: {text}" for name, text in signatures.items()),
    ]
    shares = [None] * len(runs)
    if weights is not None:
        shares = [weight / sum(weights) for weight in weights]
    for run, share in zip(runs, shares):
        lines += [
            "",
            f"## Run {run['name']}",
            "",
            *([] if share is None else [f"Weight in the ensemble: {share:.0%}.", ""]),
            *_format_run(run),
        ]
    return "\n".join(lines) + "\n"


def _format_run(run):
    if run["config"] is None:
        return [f"{run['num_labels']:,} labels."]
    return [
        f"Trained on `{run['config']['data']}`, with {run['num_labels']:,} labels.",
        "",
        *_format_metrics(run["metrics"]),
        "",
        *format_config(run["config"]),
    ]


def name_versions():
    """Versions of the libraries that a model was made with."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)


def format_config(config):
    """A config, a dictionary, as lines of Markdown."""
    return ["```yaml", yaml.safe_dump(config, sort_keys=False).rstrip(), "```"]


def format_table(metrics):
    """The `METRICS` that are known, as lines of Markdown."""
    names = [name for name in METRICS if name in metrics]
    return [
        "| " + " | ".join(names) + " |",
        "|" + " --- |" * len(names),
        "| " + " | ".join(f"{metrics[name]:.2f}" for name in names) + " |",
    ]


def _name_changes(metrics):
    """What a run was changed by after its metrics were measured."""
    count = metrics.get("unmeasured_changes", 0)
    names = [change["change"] for change in metrics.get("changes", [])]
    return f", and before {', '.join(names[-count:])}" if count else ""


def _format_metrics(metrics):
    if metrics is None:
        return ["This model of the run was not evaluated."]
    part = PARTS[metrics.get("evaluated_on", "test")]
    stored = f"before weights were stored as described above{_name_changes(metrics)}"
    return [
        f"In percent on {part}, after {metrics['train_documents']:,} training "
        f"documents, {stored}:",
        "",
        *format_table(metrics),
        "",
        f"Propensities: A = {metrics['propensity_a']}, B = {metrics['propensity_b']}, "
        "from the training part.",
    ]
