"""Images with what the model took them for: the worst errors, and a fair sample."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgecnn_runtime.workstation.division import stratified_sample
from edgecnn_runtime.workstation.image_set import Split
from edgecnn_training.figures.style import BLUE, VERMILLION, show_image

_WIDTH = 11.4  # inches
# Images a row, and of classes with long names.
_COLUMNS, _COLUMNS_OF_LONG = 6, 4
# The surest errors, at most; and the images of the sample, at most.
_ERRORS, _SAMPLE = 18, 24
_LONG = 12  # characters
# Of text in DejaVu Sans, over its size.
_CHARACTER_WIDTH = 0.6


def misclassified(
    images: Split, probabilities: NDArray[np.float32], labels: tuple[str, ...], *, split: str = "test"
) -> Figure:
    """Show the wrong predictions of which the model was surest, the surest first."""
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != images.labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:_ERRORS]
    which = "all of them" if len(shown) == len(wrong) else f"the {len(shown)} the model was surest of"
    title = (
        f"Misclassified: {len(wrong):,} of {len(images):,} {split} images, {which}"
        if len(wrong)
        else f"Misclassified: none of {len(images):,} {split} images"
    )
    return _gallery(images, probabilities, labels, shown, title)


def predictions(
    images: Split, probabilities: NDArray[np.float32], labels: tuple[str, ...], *, split: str = "test"
) -> Figure:
    """Show a sample of the images, right or wrong, stratified by class and the same in every run."""
    sampled = stratified_sample(images.labels, min(_SAMPLE, len(images)), seed=0)
    # By class, so that the eye can compare.
    shown = sampled[np.argsort(images.labels[sampled], kind="stable")]
    right = int(np.count_nonzero(probabilities[shown].argmax(axis=1) == images.labels[shown]))
    title = f"Predictions: {len(shown)} of {len(images):,} {split} images, chosen at random; {right} right"
    return _gallery(images, probabilities, labels, shown, title)


def _gallery(
    images: Split, probabilities: NDArray[np.float32], labels: tuple[str, ...], shown: NDArray[np.int64], title: str
) -> Figure:
    longest = max(len(label) for label in labels)
    columns = _COLUMNS if longest <= _LONG else _COLUMNS_OF_LONG
    cell = _WIDTH / columns
    # So that the titles of neighbours do not touch.
    size = min(12, 72 * cell / (_CHARACTER_WIDTH * (longest + len("predicted  (100%)"))))
    rows = max(1, math.ceil(len(shown) / columns))
    figure = Figure(figsize=(_WIDTH, (cell + 0.45) * rows + 0.7), layout="constrained")
    figure.suptitle(title, fontsize=15)
    for axes in (cells := figure.subplots(rows, columns, squeeze=False)).flat:
        axes.axis("off")
    for axes, index in zip(cells.flat, shown, strict=False):
        show_image(axes, images.images[index])
        _say(axes, labels, true=int(images.labels[index]), probabilities=probabilities[index], size=size)
    return figure


def _say(axes: Axes, labels: tuple[str, ...], *, true: int, probabilities: NDArray[np.float32], size: float) -> None:
    """Write above an image what it was taken for, how surely, and what it is."""
    predicted = int(probabilities.argmax())
    colour = BLUE if predicted == true else VERMILLION
    confidence = f"({probabilities[predicted]:.0%})"
    axes.set_title(f"predicted {labels[predicted]} {confidence}", fontsize=size, color=colour, pad=1.9 * size)
    axes.text(
        0.5, 1.02, f"true {labels[true]}", transform=axes.transAxes, ha="center", va="bottom", fontsize=size, color=BLUE
    )
