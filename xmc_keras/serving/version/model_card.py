"""What a person should know of an exported model."""

import datetime
import importlib.metadata

import yaml

LIBRARIES = ("tensorflow", "tensorflow-text", "keras", "keras-nlp", "numpy")
SYSTEMS = {"lightxml": "LightXML", "lightdxml": "LightDXML"}
METRICS = [f"{name}@{k}" for name in ("P", "nDCG", "PSP") for k in (1, 3, 5)]
# What it takes of metrics.json.
TOLD = [*METRICS, "train_documents", "propensity_a", "propensity_b"]


def write_model_card(runs, signatures, table, dense, weights=None):
    """The model card of a version, as Markdown.

    Args:
        runs: list of dictionaries `name`, `config` (dictionary), `num_labels`, and
            `metrics`, the `TOLD` of metrics.json, or None where the exported model
            was not evaluated.
        signatures: dictionary of a signature's name to its description.
        table, dense: how label tables and other weights are stored.
        weights: optional list of floats, what each run counts in an ensemble.

    Returns:
        string.
    """
    systems = dict.fromkeys(SYSTEMS[run["config"]["system"]] for run in runs)
    now = datetime.datetime.now(datetime.timezone.utc)
    lines = [
        f"# {' + '.join(run['name'] for run in runs)}",
        "",
        f"{' + '.join(systems)}: extreme multi-label text classification, made with "
        "xmc_keras.",
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
    shares = [None] * len(runs)
    if weights is not None:
        shares = [weight / sum(weights) for weight in weights]
    for run, share in zip(runs, shares):
        lines += [
            "",
            f"## Run {run['name']}",
            "",
            *([] if share is None else [f"Counts {share:.0%} of a score.", ""]),
            f"Trained on `{run['config']['data']}`, with {run['num_labels']:,} labels.",
            "",
            *_measured(run["metrics"]),
            "",
            "```yaml",
            yaml.safe_dump(run["config"], sort_keys=False).rstrip(),
            "```",
        ]
    return "\n".join(lines) + "\n"


def _measured(metrics):
    if metrics is None:
        return ["This model of the run: not measured."]
    return [
        f"After {metrics['train_documents']:,} training documents, in percent on the "
        "test part, before weights were stored as said above:",
        "",
        "| " + " | ".join(METRICS) + " |",
        "|" + " --- |" * len(METRICS),
        "| " + " | ".join(f"{metrics[name]:.2f}" for name in METRICS) + " |",
        "",
        f"Propensities: A = {metrics['propensity_a']}, B = {metrics['propensity_b']}, "
        "from the training part.",
    ]
