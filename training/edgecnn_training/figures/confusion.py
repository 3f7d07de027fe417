"""Which class was taken for which: as counts, and as shares of the true class."""

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgecnn_training.evaluation.scores import Evaluation
from edgecnn_training.figures.style import VERMILLION, accuracy_in_words

_ERRORS = LinearSegmentedColormap.from_list("errors", ["#FBE3D3", VERMILLION])
_RIGHT = LinearSegmentedColormap.from_list("right", ["#CFE4F2", "#CFE4F2"])

# A matrix of more classes than this has cells too small for numbers.
_NUMBERED_CLASSES = 50
# Up to so many classes a cell has room for a decimal place, and for large figures.
_LARGE_CELLS = 20
# Inches; the matrices of more than 50 classes stay as large as those of 50.
_LARGE_CELL, _SMALL_CELL, _LARGEST = 0.62, 0.36, 18.0


def confusion_matrix(evaluation: Evaluation, labels: tuple[str, ...], *, split: str = "test") -> Figure:
    """Draw how many images of each class were taken for which.

    Only the errors are shaded: beside the diagonal all else looks white.
    """
    counts = evaluation.confusion
    texts = {(row, column): str(counts[row, column]) for row, column in np.argwhere(counts)}
    return _matrix(
        counts, texts, labels, title=f"Confusion matrix, {split} split\n{accuracy_in_words(evaluation.accuracy)}"
    )


def normalised_confusion_matrix(evaluation: Evaluation, labels: tuple[str, ...], *, split: str = "test") -> Figure:
    """Draw the share of each class's images that was taken for which, so that rare classes show as frequent ones."""
    counts = evaluation.confusion
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    digits = 1 if len(labels) <= _LARGE_CELLS else 0
    texts = {(row, column): _percent(shares[row, column], digits) for row, column in np.argwhere(counts)}
    return _matrix(
        shares,
        texts,
        labels,
        title=f"Confusion matrix, {split} split, normalised\nper cent of the images of each true class",
    )


def _percent(share: float, digits: int) -> str:
    """Write a share in per cent; 100 is said of all images only, and what is there is never 0.

    >>> _percent(1.0, 1), _percent(0.9999, 1), _percent(0.0001, 1)
    ('100', '>99.9', '<0.1')
    """
    step = 10**-digits
    if share == 1:
        return "100"
    if share * 100 > 100 - step:
        return f">{100 - step:.{digits}f}"
    return f"<{step:.{digits}f}" if share * 100 < step else f"{share:.{digits}%}"[:-1]


def _matrix(
    values: NDArray[np.float64] | NDArray[np.int64],
    texts: dict[tuple[int, int], str],
    labels: tuple[str, ...],
    *,
    title: str,
) -> Figure:
    classes = len(labels)
    cell = min(_LARGE_CELL if classes <= _LARGE_CELLS else _SMALL_CELL, _LARGEST / classes)
    size = 12 if classes <= _LARGE_CELLS else max(3.0, cell * 72 * 0.32)
    side = max(7.0, cell * classes + 2)
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    diagonal = np.eye(classes, dtype=bool)
    wrong = np.where(diagonal, 0, values)
    axes.imshow(np.ma.masked_equal(wrong, 0), cmap=_ERRORS, vmin=0, vmax=wrong.max() or 1)
    axes.imshow(np.ma.masked_equal(diagonal, 0), cmap=_RIGHT)
    if classes <= _NUMBERED_CLASSES:
        for (row, column), text in texts.items():
            weight = "bold" if row == column else "normal"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, fontweight=weight)
    figure.suptitle(title, fontsize=13)
    axes.set_xlabel("predicted", fontsize=13)
    axes.set_ylabel("true", fontsize=13)
    # A character is about 0.6 of its size wide; 72 points are an inch.
    upright = max(len(label) for label in labels) * 0.6 * size > 0.75 * (side - 2) / classes * 72
    axes.set_xticks(range(classes), labels, fontsize=size, rotation=90 if upright else 0)
    axes.set_yticks(range(classes), labels, fontsize=size)
    axes.set_xticks(np.arange(-0.5, classes), minor=True)
    axes.set_yticks(np.arange(-0.5, classes), minor=True)
    axes.grid(which="minor", color="#DDDDDD", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    return figure
