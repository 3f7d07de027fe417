"""A picture of an image set: some images of every class, one row per class."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, ImageError
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import read_image
from edgecnn_training.data.readers.source import SourceSplit

# More classes than this make a picture that no viewer opens.
_MAX_CLASSES = 60
# Inches.
_CELL, _LABEL_CHARACTER = 1.0, 0.11


def sample_grid(
    split: SourceSplit, labels: tuple[str, ...], *, spec: InputSpec, columns: int, seed: int, title: str
) -> Figure:
    """Draw `columns` images of each class, chosen at random; an image that cannot be read is a crossed-out cell.

    Args:
        split: where the images are taken from.
        labels: the names of the classes, in letters that the font has.
        spec: what is made of each image.
        columns: images per class.
        seed: of the choice.
        title: above the picture.

    Raises:
        DataError: fewer than one column.
    """
    if columns < 1:
        raise DataError(f"--per-class: expected at least 1, got {columns}")
    shown = labels[:_MAX_CLASSES]
    chosen = [_drawn(split.labels, number, columns, seed) for number in range(len(shown))]
    pixels = _read_chosen(split, {position for row in chosen for position in row}, spec)
    beside = max(len(label) for label in shown) * _LABEL_CHARACTER + 0.6
    figure = Figure(figsize=(beside + _CELL * columns, 0.6 + _CELL * len(shown)), layout="constrained")
    left_out = f" ({len(shown)} of {len(labels)} classes)" if len(shown) < len(labels) else ""
    figure.suptitle(title + left_out, fontsize=12)
    grid = figure.subplots(len(shown), columns, squeeze=False)
    for number, (row, label, positions) in enumerate(zip(grid, shown, chosen, strict=True)):
        count = int(np.count_nonzero(split.labels == number))
        row[0].set_ylabel(f"{label}\nn = {count:,}", rotation=0, ha="right", va="center", fontsize=11)
        for index, axes in enumerate(row):
            axes.set_xticks([])
            axes.set_yticks([])
            # Around images that are as white as the page.
            axes.spines[:].set_color("#cccccc" if index < len(positions) else "none")
            if index < len(positions):
                image = pixels[positions[index]]
                if image is None:
                    axes.plot([0, 1, 0.5, 0, 1], [0, 1, 0.5, 1, 0], color="#D55E00")
                else:
                    axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
    return figure


def _drawn(labels: NDArray[np.int64], number: int, count: int, seed: int) -> list[int]:
    """Choose images of one class at random."""
    positions = np.flatnonzero(labels == number)
    return sorted(np.random.default_rng([seed, number]).permutation(positions)[:count].tolist())


def _read_chosen(split: SourceSplit, chosen: set[int], spec: InputSpec) -> dict[int, NDArray[np.uint8] | None]:
    """Read some images of a split; None for those that cannot be read."""
    pixels: dict[int, NDArray[np.uint8] | None] = {}
    for position, image in enumerate(split.images):
        if position in chosen:
            try:
                pixels[position] = read_image(image, spec)
            except ImageError:
                pixels[position] = None
    return pixels
