"""The PNG figures of a run, drawn without a display.

Blue and vermillion throughout, of M. Okabe and K. Ito's colour-blind safe palette, https://jfly.uni-koeln.de/color.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.image_set import Split
from edgecnn_runtime.run_folder import RunFolder
from edgecnn_runtime.whole_files import written_whole
from edgecnn_training.evaluation import Evaluation
from edgecnn_training.history import Epoch, best_epoch

_BLUE, _VERMILLION, _GREY = "#0072B2", "#D55E00", "#666666"
_ERRORS = LinearSegmentedColormap.from_list("errors", ["#FBE3D3", _VERMILLION])
_RIGHT = "#CFE4F2"

_DOTS_PER_INCH = 150

# The gallery shows this many misclassified images at most, and as many a row.
_GALLERY_ROWS, _GALLERY_COLUMNS = 3, 6

# A confusion matrix of more classes than this has cells too small for numbers.
_COUNTED_CLASSES = 50


def draw_all(
    folder: RunFolder,
    history: Sequence[Epoch],
    evaluation: Evaluation,
    split: Split,
    probabilities: NDArray[np.float32],
    labels: tuple[str, ...],
) -> None:
    """Draw every figure of a run into `figures/`.

    Args:
        folder: the run.
        history: the scores of the epochs.
        evaluation: the scores on the test split.
        split: the test split, N images.
        probabilities: `(N, classes)`, what the model gave for it.
        labels: the names of the classes.
    """
    for name, figure in (
        ("training_curves", training_curves(history)),
        ("confusion_matrix", confusion_matrix(evaluation, labels)),
        ("classification_report", classification_report(evaluation)),
        ("misclassified", misclassified(split, probabilities, labels)),
    ):
        with written_whole(folder.figures / f"{name}.png") as partial:
            FigureCanvasAgg(figure).print_figure(partial, dpi=_DOTS_PER_INCH, facecolor="white")


def training_curves(history: Sequence[Epoch]) -> Figure:
    """Draw loss and accuracy over the epochs, on training and validation images, with the best epoch marked."""
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    best = best_epoch(history)
    figure.suptitle(
        f"Training: best epoch {best.epoch} of {len(history)}, validation accuracy {best.val_accuracy:.2%}",
        fontsize=15,
    )
    for axes, title, training, validation, marked in (
        (losses, "Loss", [e.loss for e in history], [e.val_loss for e in history], best.val_loss),
        (accuracies, "Accuracy", [e.accuracy for e in history], [e.val_accuracy for e in history], best.val_accuracy),
    ):
        axes.plot(epochs, training, color=_VERMILLION, linestyle="--", marker="s", markersize=5, label="training")
        axes.plot(epochs, validation, color=_BLUE, linewidth=2.2, marker="o", markersize=6, label="validation")
        axes.plot(
            best.epoch,
            marked,
            color=_BLUE,
            marker="o",
            markersize=14,
            markerfacecolor="none",
            linestyle="none",
            label="best epoch",
        )
        axes.set_title(title, fontsize=13)
        axes.set_xlabel("epoch", fontsize=12)
        axes.set_ylabel("cross-entropy" if axes is losses else "share classified correctly", fontsize=12)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=11)
        _tidy(axes)
    losses.set_ylim(bottom=0)
    return figure


def confusion_matrix(evaluation: Evaluation, labels: tuple[str, ...]) -> Figure:
    """Draw which class was taken for which. Only the errors are shaded: beside the diagonal all else looks white."""
    counts, classes = evaluation.confusion, len(labels)
    side = max(6.5, 0.55 * classes + 2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    wrong = np.where(np.eye(classes, dtype=bool), 0, counts)
    axes.imshow(np.ma.masked_equal(wrong, 0), cmap=_ERRORS, vmin=0, vmax=max(1, wrong.max()))
    axes.imshow(
        np.ma.masked_equal(np.eye(classes), 0), cmap=LinearSegmentedColormap.from_list("right", [_RIGHT, _RIGHT])
    )
    if classes <= _COUNTED_CLASSES:
        for row, column in np.argwhere(counts):
            axes.text(
                column,
                row,
                f"{counts[row, column]}",
                ha="center",
                va="center",
                fontsize=12,
                fontweight="bold" if row == column else "normal",
            )
    axes.set_title(f"Confusion matrix, test split\n{_in_words(evaluation.accuracy)}", fontsize=14)
    axes.set_xlabel("predicted", fontsize=13)
    axes.set_ylabel("true", fontsize=13)
    upright = max(len(label) for label in labels) > 3
    axes.set_xticks(range(classes), labels, fontsize=12, rotation=90 if upright else 0)
    axes.set_yticks(range(classes), labels, fontsize=12)
    axes.set_xticks(np.arange(-0.5, classes), minor=True)
    axes.set_yticks(np.arange(-0.5, classes), minor=True)
    axes.grid(which="minor", color="#DDDDDD", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    return figure


def classification_report(evaluation: Evaluation) -> Figure:
    """Draw precision, recall and F1 of each class, on an axis that begins where the scores do."""
    rows = evaluation.per_class
    figure = Figure(figsize=(9, max(3.6, 0.42 * len(rows) + 1.8)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(rows))
    lowest = min(min(row.precision, row.recall) for row in rows)
    axes.hlines(
        places,
        [min(row.precision, row.recall) for row in rows],
        [max(row.precision, row.recall) for row in rows],
        color="#BBBBBB",
        linewidth=3,
        zorder=1,
    )
    axes.scatter([row.precision for row in rows], places, marker="s", s=60, color=_VERMILLION, label="precision")
    axes.scatter([row.recall for row in rows], places, marker="o", s=70, color=_BLUE, label="recall")
    axes.scatter([row.f1 for row in rows], places, marker="|", s=160, color="black", label="F1", linewidths=2)
    axes.set_yticks(places, [f"{row.label}   (n = {row.support:,})" for row in rows], fontsize=12)
    axes.invert_yaxis()
    # A margin of a tenth on either side, so that no mark is cut.
    margin = max(0.002, (1 - lowest) * 0.1)
    axes.set_xlim(max(-0.02, lowest - margin), 1 + margin)
    axes.set_xlabel("score", fontsize=12)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(
        f"Classification report, test split: weighted F1 {evaluation.weighted_f1:.4f}\n"
        f"{_in_words(evaluation.accuracy)}",
        fontsize=14,
    )
    figure.legend(loc="outside lower center", ncols=3, fontsize=11, frameon=False)
    _tidy(axes)
    return figure


def misclassified(split: Split, probabilities: NDArray[np.float32], labels: tuple[str, ...]) -> Figure:
    """Show the wrong predictions of which the model was surest, the surest first."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != split.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][: _GALLERY_ROWS * _GALLERY_COLUMNS]
    rows = max(1, math.ceil(len(shown) / _GALLERY_COLUMNS))
    figure = Figure(figsize=(1.9 * _GALLERY_COLUMNS, 2.3 * rows + 0.7), layout="constrained")
    which = "all of them" if len(shown) == len(wrong) else f"the {len(shown)} the model was surest of"
    figure.suptitle(
        f"Misclassified: {len(wrong):,} of {len(split):,} test images, {which}"
        if len(wrong)
        else f"Misclassified: none of {len(split):,} test images",
        fontsize=15,
    )
    for axes in (cells := figure.subplots(rows, _GALLERY_COLUMNS, squeeze=False)).flat:
        axes.axis("off")
    for axes, index in zip(cells.flat, shown, strict=False):
        pixels = split.images[index]
        axes.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
        axes.set_title(
            f"predicted {labels[predicted[index]]} ({confidence[index]:.0%})", fontsize=12, color=_VERMILLION, pad=17
        )
        axes.text(
            0.5,
            1.02,
            f"true {labels[split.labels[index]]}",
            transform=axes.transAxes,
            ha="center",
            va="bottom",
            fontsize=12,
            color=_BLUE,
        )
    return figure


def _in_words(accuracy: Accuracy) -> str:
    low, high = accuracy.interval
    return (
        f"{accuracy.correct:,} of {accuracy.total:,} right: {accuracy.value:.2%} (95% interval {low:.2%} to {high:.2%})"
    )


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)
