"""Page of the report: a single, self-contained HTML file."""

import base64
import dataclasses
from pathlib import Path
from string import Template

from xmc_keras.config.config import SYSTEMS
from xmc_keras.config.keys.config_key import format_value
from xmc_keras.evaluation.report.documents import format_documents
from xmc_keras.evaluation.report.html_table import escape, make_html_table

TEMPLATE = Path(__file__).with_name("page.html")
# nDCG@1 is P@1.
QUALITY = "P@1 P@3 P@5 nDCG@3 nDCG@5 PSP@1 PSP@3 PSP@5".split()
OTHERS = {
    "recall@100": "recall@100",
    "train_seconds": "training s",
    "predict_ms_a_document": "ms per document",
    "peak_memory_gb": "peak GB",
}
CHOSEN = {
    "best_epoch": "best epoch",
    "logq_correction": "logq_correction",
    "label_words_factor": "factor of the scale of label words",
    "beta": "beta",
    "linear_c": "linear_c",
    "validation": "P@1 / P@3 / P@5 there",
    "validation_at_start": "and before training",
}


def make_page(reports, images, documents, relevant, names):
    """Makes the report, a page of HTML.

    Args:
        reports: list of `RunReport`.
        images: dictionary from names to PNG files as bytes, from `draw_pictures`.
        documents: `Documents` or `FeatureDocuments` of the test part; None for a report
            on training alone.
        relevant: csr matrix (documents, width). Labels of the documents.
        names: list of strings. Labels of the columns of `relevant`.

    Returns:
        string.
    """
    sections = [
        format_overview(reports, documents, names),
        format_settings(reports),
        format_chosen(reports),
        format_training(images),
    ]
    if documents is not None:
        sections.append(format_frequency(images))
        sections.append(format_candidates(reports, images))
        sections.append(format_calibration(reports, images))
    sections.append(format_clusters(reports, images))
    if documents is not None:
        sections.append(format_confused_labels(reports, names))
        sections.append(format_documents(reports, documents, relevant, names))
    title = "Report: " + ", ".join(report.name for report in reports)
    template = Template(TEMPLATE.read_text("utf-8"))
    return template.substitute(title=escape(title), body="\n".join(sections))


def format_overview(reports, documents, names):
    keys = [*QUALITY, *OTHERS]
    rows = [[r.name, *(r.metrics.get(key) for key in keys)] for r in reports]
    best = {}
    if len(reports) > 1:
        for j in range(1, 2 + len(QUALITY)):  # all of these are better when larger
            found = [row[j] for row in rows if row[j] is not None]
            best[j] = max(found, default=None)
    baselines = reports[0].metrics.get("baselines", {})
    rows += [
        [name, *(found.get(key) for key in keys)] for name, found in baselines.items()
    ]
    systems = dict.fromkeys(SYSTEMS[report.config.system] for report in reports)
    head = ["run", *QUALITY, *OTHERS.values()]
    rest = ""
    if len(reports) > 1:
        rest = "; the best run in each column is bold; baselines are from the run "
        rest += reports[0].name
    data = reports[0].config.data
    on = f" on {data}" if data else ""
    what = f"{len(names):,} labels. Metrics in percent, {describe_part(reports[0])}"
    if documents is not None:
        what = (
            f"{len(documents):,} test documents, {len(names):,} labels in training or "
            "test documents. Metrics in percent"
        )
    return (
        f"<p>{escape(' and '.join(systems) + on)}: {what}{escape(rest)}.</p>"
        + make_html_table(head, rows, best, len(reports))
        + format_warnings(reports)
    )


def describe_part(report):
    """What recorded metrics were measured on."""
    part = report.metrics.get("evaluated_on", "validation")
    key = "documents" if part == "test" else "validation_documents"
    count = report.metrics.get(key)
    return "on " + (f"{count:,} " if count else "") + f"{part} documents"


def format_warnings(reports):
    """What `fit` warned of in each run."""
    lines = [
        f"<p><b>Warning, {escape(report.name)}:</b> {escape(warning)}</p>"
        for report in reports
        for warning in report.metrics.get("warnings", [])
    ]
    return "".join(lines)


def format_settings(reports):
    """Config keys that differ between runs, or from the defaults for a single run."""
    configs = [dataclasses.asdict(report.config) for report in reports]
    defaults = {f.name: f.default for f in dataclasses.fields(reports[0].config)}
    if len(reports) == 1:
        title = "Settings that differ from the defaults"
        keys = [key for key, value in configs[0].items() if value != defaults[key]]
    else:
        title = "Settings that differ between runs"
        keys = [k for k, x in configs[0].items() if any(c[k] != x for c in configs)]
    if not keys:
        return f"<h2>{title}</h2><p>None.</p>"
    rows = [[key, *(format_value(config[key]) for config in configs)] for key in keys]
    head = ["key", *(report.name for report in reports)]
    return f"<h2>{title}</h2>" + make_html_table(head, rows)


def format_chosen(reports):
    """What was chosen on the validation split of each run, if anything is known."""
    keys = [key for key in CHOSEN if any(key in r.metrics for r in reports)]
    if not keys:
        return ""
    text = "Of the epochs the best one is kept; 0 is the model before training."
    rows = [[CHOSEN[key], *(r.metrics.get(key) for r in reports)] for key in keys]
    rows = [[format_chosen_value(cell) for cell in row] for row in rows]
    table = make_html_table(["", *(report.name for report in reports)], rows)
    return f"<h2>Chosen on the validation split</h2><p>{text}</p>{table}"


def format_chosen_value(value):
    if isinstance(value, dict):  # P@1, P@3 and P@5
        return " / ".join(f"{number:.2f}" for number in value.values())
    return str(value) if isinstance(value, int) else value


def format_training(images):
    if "curves" not in images:
        return "<h2>Training</h2><p>No training history was recorded.</p>"
    text = "Losses and P@k on the validation split after each epoch."
    return format_section("Training", text, images, "curves")


def format_frequency(images):
    text = (
        "Labels grouped by their number of training documents. The bars of a run add "
        "up to its P@k, and to its PSP@k, in which rare labels weigh more. They show "
        "which labels contribute."
    )
    return format_section("Frequent and rare labels", text, images, "by_frequency")


def format_candidates(reports, images):
    text = (
        "The mean share of a document's labels among the candidates of the first "
        "stage, by the number of candidates. The marker is where the model stops; "
        "ranking cannot recover labels that are not found by then."
    )
    stops = {}
    for report in reports:
        stops.setdefault((report.kept, report.step), []).append(report.name)
    for (kept, step), names in stops.items():
        unit = "labels" if step == 1 else f"clusters of up to {step} labels"
        text += f" {', '.join(names)}: {kept:,} {unit}."
    return format_section(
        "Recall of the candidates", text, images, "candidates", "narrow"
    )


def format_calibration(reports, images):
    text = (
        "The first five labels of each document, by score: of those with a score of "
        "80 %, 80 % should be right (the dotted line). The error is the mean distance "
        "from that line, in points; the dashed line is that of scores before "
        "calibration. On the right, the share of labels with each score."
    )
    rows = [
        [report.name, *group]
        for report in reports
        for group in report.calibration.groups
    ]
    head = ["run", "labels", "share %", "error before", "error"]
    table = make_html_table(head, rows, text_columns=(0, 1))
    return format_section("Calibration", text, images, "calibration") + table


def format_clusters(reports, images):
    none = [r.name for r in reports if r.cluster_labels is None]
    text = f" Without label clusters: {', '.join(none)}." if none else ""
    if "clusters" not in images:
        return f"<h2>Clusters</h2><p>{escape(text.strip())}</p>"
    text = (
        "The number of labels per cluster, and the number of labels of training "
        "documents that fall into each cluster, on a logarithmic scale." + text
    )
    return format_section("Clusters", text, images, "clusters")


def format_confused_labels(reports, names):
    text = (
        "A wrong prediction and a missed label of the same document, counted over the "
        "test documents. For a document with two labels the first two predictions "
        "count, for one with five or more the first five."
    )
    tables = []
    for report in reports:
        head = ["instead of", "predicted", "documents"]
        rows = [
            [names[right], names[wrong], str(n)] for wrong, right, n in report.confused
        ]
        table = (
            make_html_table(head, rows, text_columns=(0, 1)) if rows else "<p>None.</p>"
        )
        tables.append(f"<div><h3>{escape(report.name)}</h3>{table}</div>")
    return (
        f"<h2>Most confused labels</h2><p>{text}</p>"
        f'<div class="columns">{"".join(tables)}</div>'
    )


def format_section(title, text, images, name, kind=""):
    data = base64.b64encode(images[name]).decode("ascii")
    return (
        f"<h2>{title}</h2><p>{escape(text)}</p>"
        f'<img class="{kind}" alt="{title}" src="data:image/png;base64,{data}">'
    )
