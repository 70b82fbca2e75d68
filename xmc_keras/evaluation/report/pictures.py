"""Pictures of the report, each with all runs."""

import io

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xmc_keras.evaluation.report.log_numbers import LogNumbers
from xmc_keras.runs.plot_curves import draw_curves

# Okabe and Ito's colours, which colour-blind people can distinguish.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv*P"
KS = (1, 3, 5)
LONGEST = 28  # characters of a run's name in a legend


def draw_pictures(reports):
    """Draws all pictures for which the runs have data.

    Args:
        reports: list of `RunReport`.

    Returns:
        Dictionary from names to PNG files as bytes.
    """
    found = {}
    if reports[0].label_ids is not None:
        found["by_frequency"] = draw_frequency(reports)
        found["candidates"] = draw_candidates(reports)
        found["calibration"] = draw_calibration(reports)
    if any(report.history for report in reports):
        found["curves"] = draw_training(reports)
    if any(report.cluster_labels is not None for report in reports):
        found["clusters"] = draw_clusters(reports)
    return {name: encode_png(figure) for name, figure in found.items()}


def encode_png(figure):
    file = io.BytesIO()
    # Without the library version, so that the same figures give the same file.
    figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()


def draw_training(reports):
    figure, (left, right) = make_panels(1, 2, 3.8)
    styles = [
        {**choose_style(i), "label": shorten(r.name)} for i, r in enumerate(reports)
    ]
    histories = [report.history for report in reports]
    draw_curves(left, right, histories, styles if len(reports) > 1 else None)
    if len(reports) > 1:
        return add_legend(figure, left)
    for axis in (left, right):
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    return figure


def draw_frequency(reports):
    """Bars grouped by frequency, one per run."""
    figure, axes = make_panels(2, 3, 6.2)
    groups = reports[0].groups
    width = 0.8 / len(reports)
    for row, measure in zip(axes, ("P", "PSP")):
        for axis, k in zip(row, KS):
            for i, report in enumerate(reports):
                places = np.arange(len(groups)) + (i - (len(reports) - 1) / 2) * width
                axis.bar(
                    places,
                    report.shares[f"{measure}@{k}"],
                    width,
                    color=choose_style(i)["color"],
                    label=shorten(report.name),
                )
            axis.set_title(f"{measure}@{k}")
            texts = [name.replace(" and more", "+") for name in groups]
            axis.set_xticks(range(len(groups)), texts, rotation=30, ha="right")
            axis.grid(axis="y", alpha=0.3)
        row[0].set_ylabel("points of " + measure + "@k (%)")
    for axis in axes[1]:
        axis.set_xlabel("training documents of a label")
    return add_legend(figure, axes[0][0])


def draw_candidates(reports):
    figure, axis = make_panels(1, 1, 4.2)
    for i, report in enumerate(reports):
        values = 100 * report.recall
        labels = report.step * np.arange(1, len(values) + 1)
        axis.plot(labels, values, label=shorten(report.name), **choose_colour(i))
        last = min(report.kept, len(values)) - 1
        axis.plot(labels[last], values[last], ms=9, **choose_style(i))
    axis.set_xscale("log")
    LogNumbers.apply_to(axis.xaxis)
    axis.set(xlabel="candidate labels of a document", ylabel="right labels found (%)")
    axis.set_ylim(0, 102)
    axis.grid(alpha=0.3)
    return add_legend(figure, axis)


def draw_calibration(reports):
    figure, (left, right) = make_panels(1, 2, 3.8)
    left.plot([0, 100], [0, 100], ":", color="gray")
    for i, report in enumerate(reports):
        if report.calibration.earlier is not None:
            counts, score, hits, _ = report.calibration.earlier
            some, style = counts > 0, choose_colour(i) | {"ls": "--", "lw": 1}
            left.plot(100 * score[some], 100 * hits[some], **style)
        counts, score, hits, error = report.calibration.curve
        some = counts > 0
        left.plot(100 * score[some], 100 * hits[some], ms=5, **choose_style(i))
        left.lines[-1].set_label(f"{shorten(report.name)} (error {100 * error:.1f})")
        edges = np.linspace(0, 100, len(counts) + 1)
        share = 100 * counts / max(counts.sum(), 1)
        right.stairs(share, edges, lw=1.8, **choose_colour(i))
    left.set(xlabel="score (%)", ylabel="right (%)", xlim=(-2, 102), ylim=(-2, 102))
    right.set(xlabel="score (%)", ylabel="share of predictions (%)", xlim=(-2, 102))
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return add_legend(figure, left)


def draw_clusters(reports):
    figure, (left, right) = make_panels(1, 2, 3.8)
    some = [(i, r) for i, r in enumerate(reports) if r.cluster_labels is not None]
    width = 0.8 / len(some)
    sizes = np.unique(np.concatenate([r.cluster_labels for _, r in some]))
    few = len(sizes) <= 12
    for place, (i, report) in enumerate(some):
        if few:
            found = [int((report.cluster_labels == size).sum()) for size in sizes]
            places = np.arange(len(sizes)) + (place - (len(some) - 1) / 2) * width
            left.bar(
                places, found, width, label=shorten(report.name), **choose_colour(i)
            )
        else:
            found, edges = np.histogram(report.cluster_labels, 20, (0, sizes[-1]))
            left.stairs(
                found, edges, label=shorten(report.name), lw=1.8, **choose_colour(i)
            )
        documents = np.sort(report.cluster_documents)[::-1]
        marker = "." if len(documents) < 50 else None
        right.plot(
            range(1, len(documents) + 1), documents, marker=marker, **choose_colour(i)
        )
    if few:
        left.set_xticks(range(len(sizes)), map(str, sizes))
    left.set(xlabel="labels per cluster", ylabel="clusters")
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set(xlabel="clusters, largest first", ylabel="labels of training documents")
    right.set_yscale("log")
    LogNumbers.apply_to(right.yaxis)
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axis in (left, right):
        axis.grid(alpha=0.3)
    return add_legend(figure, left)


def make_panels(rows, columns, height):
    figure = Figure(figsize=(10 if columns > 1 else 7.5, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def choose_style(i):
    return {**choose_colour(i), "marker": MARKERS[i % len(MARKERS)]}


def choose_colour(i):
    return {"color": COLOURS[i % len(COLOURS)]}


def shorten(name):
    """A name that fits in a legend; its end distinguishes the runs of a sweep."""
    return name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]


def add_legend(figure, *axes):
    """Puts the legend below the panels, where it covers nothing."""
    found = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            found.setdefault(label, handle)
    # An entry has a line or bar, and about 0.085 inches per character.
    width = 0.7 + 0.085 * max(map(len, found))
    columns = max(1, min(len(found), int(figure.get_figwidth() / width)))
    figure.legend(found.values(), found, loc="outside lower center", ncols=columns)
    return figure
