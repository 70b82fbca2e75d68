"""Loss and validation metrics of a run as a picture."""

import matplotlib

from xmc_keras.run_history import RunHistory

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402


def plot_curves(run):
    """Draws `curves.png` from the run's `history.csv`."""
    rows = RunHistory(run.history_path).rows()
    epochs = [row["epoch"] + 1 for row in rows]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    for key, name in (("loss", "training"), ("val_loss", "validation")):
        left.plot(epochs, [row[key] for row in rows], "o-", label=name)
    left.set(xlabel="epoch", ylabel="loss")
    for k in (1, 3, 5):
        values = [100 * row[f"val_precision_at_{k}"] for row in rows]
        right.plot(epochs, values, "o-", label=f"P@{k}")
    right.set(xlabel="epoch", ylabel="validation P@k (%)")
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    part = run.path / "curves.part.png"
    figure.savefig(part, dpi=120)
    pyplot.close(figure)
    part.replace(run.path / "curves.png")
