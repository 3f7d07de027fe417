"""Loss and accuracy over the epochs."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edgecnn_training.figures.style import BLUE, GREY, VERMILLION, tidy
from edgecnn_training.history import Epoch


def training_curves(history: Sequence[Epoch], best: Epoch) -> Figure:
    """Draw loss and accuracy over the epochs, on training and validation images; mark the best and the fine-tuning."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    tuned = next((epoch.epoch for epoch in history if epoch.stage > 1), None)
    # Beyond some epochs the marks would hide the lines.
    marks = {"marker": "o", "markersize": 6} if len(history) <= 40 else {}
    figure.suptitle(
        f"Training: best epoch {best.epoch} of {len(history)}, validation accuracy {best.val_accuracy:.2%}",
        fontsize=15,
    )
    for axes, title, training, validation, marked in (
        (losses, "Loss", [e.loss for e in history], [e.val_loss for e in history], best.val_loss),
        (accuracies, "Accuracy", [e.accuracy for e in history], [e.val_accuracy for e in history], best.val_accuracy),
    ):
        # Not clipped: a mark on the edge of the axes, as at an accuracy of 1, is a whole one.
        axes.plot(epochs, training, color=VERMILLION, linestyle="--", label="training", clip_on=False, **marks)
        axes.plot(epochs, validation, color=BLUE, linewidth=2.2, label="validation", clip_on=False, **marks)
        axes.plot(
            best.epoch,
            marked,
            color=BLUE,
            marker="o",
            markersize=14,
            markerfacecolor="none",
            linestyle="none",
            label="best epoch",
            clip_on=False,
        )
        if tuned is not None:
            axes.axvline(tuned - 0.5, color=GREY, linestyle=":", label="fine-tuning")
        axes.set_title(title, fontsize=13, pad=12)
        axes.set_xlabel("epoch", fontsize=12)
        axes.set_ylabel("cross-entropy" if axes is losses else "share classified correctly", fontsize=12)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if len(history) == 1:
            axes.set_xlim(epochs[0] - 0.5, epochs[0] + 0.5)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=11)
        tidy(axes)
    losses.set_ylim(bottom=0)
    # No room for accuracies that there are not.
    bottom, top = accuracies.get_ylim()
    accuracies.set_ylim(max(bottom, 0), min(top, 1))
    return figure
