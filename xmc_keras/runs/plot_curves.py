"""Plots of the losses and validation metrics of runs."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xmc_keras.files.atomic_files import atomic_write
from xmc_keras.runs.read_history import COLUMNS, LOSSES, PRECISIONS, read_history


def plot_curves(run):
    """Draws `curves.png` from the run's `history.csv`."""
    rows = read_history(run.history_path, COLUMNS)
    # Not of `pyplot`, whose figures and backend are the user's.
    figure = Figure(figsize=(10, 4))
    left, right = figure.subplots(1, 2)
    draw_curves(left, right, [rows])
    for axes in (left, right):
        axes.legend()
    figure.tight_layout()
    with atomic_write(run.path / "curves.png") as file:
        figure.savefig(file, format="png", dpi=120)


def draw_curves(left, right, histories, styles=None):
    """Draws losses on the left and validation P@k on the right.

    Args:
        left, right: `matplotlib` axes.
        histories: list of the rows of each run, see `read_history` with `COLUMNS`.
        styles: optional list of dictionaries, one per run, with the `color`, `marker`
            and `label` of its lines. Then the color shows the run, and the line style
            the metric.
    """
    for i, rows in enumerate(histories):
        epochs = [row["epoch"] + 1 for row in rows]
        for axes, names, percent in ((left, LOSSES, 1), (right, PRECISIONS, 100)):
            for (key, name), line in zip(names.items(), ("-", "--", ":")):
                values = [percent * row[key] for row in rows]
                if styles is None:
                    axes.plot(epochs, values, "o-", label=name)
                else:
                    own = {**styles[i]} if line == "-" else {**styles[i], "label": None}
                    axes.plot(epochs, values, linestyle=line, **own)
    left.set(xlabel="epoch", ylabel="loss")
    right.set(xlabel="epoch", ylabel="validation P@k (%)")
    if styles is not None:
        left.set_title("solid: training, dashed: validation")
        right.set_title("solid: P@1, dashed: P@3, dotted: P@5")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
