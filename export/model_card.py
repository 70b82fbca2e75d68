"""What a person should know of an exported model."""

import datetime
import importlib.metadata

import yaml

LIBRARIES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")
METRICS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP") for k in (1, 3, 5)]


def model_card(runs, signatures, table, dense):
    """The model card of a version, as Markdown.

    Args:
        runs: list of dictionaries `name`, `config` (dictionary), `metrics`
            (dictionary of metrics.json), `num_labels`.
        signatures: dictionary of a signature's name to its description.
        table, dense: how label tables and other weights are stored.

    Returns:
        string.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [
        f"# {' + '.join(run['name'] for run in runs)}",
        "",
        "LightXML: extreme multi-label text classification, made with xmc_keras.",
        "",
        f"- Exported: {now:%Y-%m-%d %H:%M} UTC",
        f"- Stored: label tables {table}, other weights {dense}; computes in float32",
        "- Versions: "
        + ", ".join(f"{n} {importlib.metadata.version(n)}" for n in LIBRARIES),
        "",
        "## Signatures",
        "",
        *(f"- `{name}`: {text}" for name, text in signatures.items()),
    ]
    for run in runs:
        metrics = run["metrics"]
        lines += [
            "",
            f"## Run {run['name']}",
            "",
            f"Trained on {metrics['train_documents']:,} documents of "
            f"`{run['config']['data']}`, with {run['num_labels']:,} labels. On "
            "its test part, in percent, before weights were stored as said above:",
            "",
            "| " + " | ".join(METRICS) + " |",
            "|" + " --- |" * len(METRICS),
            "| " + " | ".join(f"{metrics[name]:.2f}" for name in METRICS) + " |",
            "",
            f"Propensities: A = {metrics['propensity_a']}, B = "
            f"{metrics['propensity_b']}, from the training part.",
            "",
            "```yaml",
            yaml.safe_dump(run["config"], sort_keys=False).rstrip(),
            "```",
        ]
    return "\n".join(lines) + "\n"
