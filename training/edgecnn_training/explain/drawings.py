"""The pictures of `edgecnn explain`: each title names the operation and the shape it gives."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from edgecnn_training.explain.conv_block import BlockStep, ConvBlock
from edgecnn_training.explain.occlusion import Occlusion
from edgecnn_training.figures.style import BLUE, GREY, VERMILLION, show_image, tidy

# Below 0 blue, above 0 vermillion.
_SIGNED = LinearSegmentedColormap.from_list("signed", [BLUE, "white", VERMILLION])
# From 0 up; Holbrook's.
_POSITIVE = "magma"

_SHOWN_FILTERS = 6
_SHOWN_KERNELS = 64
_SHOWN_CHANNELS = 32
# Larger kernels have cells too small for numbers.
_NUMBERED_KERNEL = 7


def shape_in_words(shape: Sequence[int]) -> str:
    """Write a shape for a title.

    >>> shape_in_words((26, 26, 32))
    '26 × 26 × 32'
    """
    return " × ".join(map(str, shape))


def hand_made_block(
    image: NDArray[np.float64], kernel: NDArray[np.float64], steps: Sequence[tuple[str, NDArray[np.float64]]]
) -> Figure:
    """Draw a kernel, the image `(height, width)` 0…1, and what each step gives, side by side."""
    figure = Figure(figsize=(4.1 * (2 + len(steps)), 4.8), layout="constrained")
    cells = figure.subplots(1, 2 + len(steps))
    _show_kernel(cells[0], kernel)
    cells[0].set_title(f"Kernel\n{shape_in_words(kernel.shape)}", fontsize=14)
    cells[1].imshow(image, cmap="gray", vmin=0, vmax=1)
    cells[1].set_title(f"Input\n{shape_in_words(image.shape)}", fontsize=14)
    for axes, (title, values) in zip(cells[2:], steps, strict=True):
        _show_values(figure, axes, values)
        axes.set_title(f"{title}\n{shape_in_words(values.shape)}", fontsize=14)
    for axes in cells:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def network_block(block: ConvBlock, pixels: NDArray[np.uint8]) -> Figure:
    """Draw the filters of a convolution that respond most, a row each, and what each step of the block gives."""
    chosen = block.strongest[:_SHOWN_FILTERS]
    count = block.kernels.shape[-1]
    columns = 1 + len(block.steps)
    figure = Figure(figsize=(3.2 + 2.6 * columns, 1.2 + 2.5 * len(chosen)), layout="constrained")
    which = "all" if len(chosen) == count else f"the {len(chosen)} that respond most"
    figure.suptitle(f"{block.layer}: {count} filters over {shape_in_words(block.read.shape)}, {which}", fontsize=16)
    left, right = figure.subfigures(1, 2, width_ratios=(3.2, 2.6 * columns), squeeze=False)[0]
    axes = left.subplots()
    show_image(axes, pixels)
    axes.set_title(f"Image\n{shape_in_words(pixels.shape)}", fontsize=13)
    cells = right.subplots(len(chosen), columns, squeeze=False)
    for row, number in zip(cells, chosen, strict=True):
        channel = _show_filter(row[0], block.kernels[..., number])
        note = "" if channel is None else f"\nits channel {channel}"
        row[0].set_ylabel(f"filter {number}{note}", fontsize=11)
        for axes, step in zip(row[1:], block.steps, strict=True):
            _show_values(right, axes, step.values[..., number])
    shape = shape_in_words(block.kernels.shape[:3])
    for axes, title in zip(cells[0], [f"Kernel\n{shape}", *map(_step_title, block.steps)], strict=True):
        axes.set_title(title, fontsize=12)
    for axes in cells.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def kernel_gallery(block: ConvBlock) -> Figure:
    """Draw the kernels of a convolution, the first 64 at most."""
    rows, columns, channels, filters = block.kernels.shape
    shown = min(filters, _SHOWN_KERNELS)
    width = min(8, shown)
    figure = Figure(figsize=(1.5 * width, 1.75 * math.ceil(shown / width) + 1), layout="constrained")
    what = "as red, green and blue" if channels == 3 else "the strongest channel of each" if channels > 1 else ""
    figure.suptitle(
        f"{block.layer}: {'' if shown == filters else f'{shown} of '}{filters} kernels of "
        f"{shape_in_words((rows, columns, channels))}" + (f"\n{what}" if what else ""),
        fontsize=14,
    )
    cells = figure.subplots(math.ceil(shown / width), width, squeeze=False)
    for axes in cells.flat:
        axes.axis("off")
    for number, axes in zip(range(shown), cells.flat, strict=False):
        _show_filter(axes, block.kernels[..., number], numbers=False)
        axes.set_title(f"{number}", fontsize=10, color=GREY)
    return figure


def layer_output(name: str, kind: str, output: NDArray[np.float32], labels: tuple[str, ...]) -> Figure:
    """Draw what any layer gives: its strongest channels as images, or its units as bars.

    Args:
        name: of the layer.
        kind: its class and options.
        output: `(height, width, channels)`, or any other shape, which is drawn as units.
        labels: the names of the classes, for a layer with as many units.
    """
    title = f"{name} ({kind}) gives {shape_in_words(output.shape)}"
    if output.ndim != 3:
        return _units(title, output.ravel(), labels)
    strongest = np.argsort(-np.abs(output).max(axis=(0, 1)), kind="stable")[:_SHOWN_CHANNELS]
    width = min(8, len(strongest))
    rows = math.ceil(len(strongest) / width)
    figure = Figure(figsize=(max(6, 1.8 * width), 2.0 * rows + 1), layout="constrained")
    count = output.shape[-1]
    which = "" if len(strongest) == count else f"\nthe {len(strongest)} channels that respond most, of {count}"
    figure.suptitle(title + which, fontsize=14)
    cells = figure.subplots(rows, width, squeeze=False)
    for axes in cells.flat:
        axes.axis("off")
    for number, axes in zip(strongest, cells.flat, strict=False):
        _show_values(figure, axes, output[..., number], bar=False)
        axes.set_title(f"channel {number}", fontsize=10, color=GREY)
    return figure


def occlusion_map(occlusion: Occlusion, pixels: NDArray[np.uint8], *, label: str, probability: float) -> Figure:
    """Draw an image with the patch that cost most, and the map of what each place costs."""
    figure = Figure(figsize=(11, 5.8), layout="constrained")
    side = occlusion.patch
    figure.suptitle(
        f"What decided {label} ({probability:.1%}): a patch of {side} × {side} in the median colour, moved in steps of "
        f"{occlusion.stride}",
        fontsize=13,
    )
    shown, heat = figure.subplots(1, 2)
    show_image(shown, pixels)
    if occlusion.moved:
        corner = occlusion.left - 0.5, occlusion.top - 0.5
        shown.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=VERMILLION, linewidth=3))
        shown.set_title(f"The patch that costs most leaves {occlusion.left_over:.1%}", fontsize=13)
    else:
        shown.set_title("No patch costs anything", fontsize=13)
    show_image(heat, pixels)
    # At least a tenth, so that rounding noise is not drawn as a reason.
    limit = max(0.1, float(np.abs(occlusion.drop).max()))
    drawn = heat.imshow(occlusion.drop, cmap=_SIGNED, vmin=-limit, vmax=limit, alpha=0.72)
    heat.set_title("What covering each pixel costs", fontsize=13)
    figure.colorbar(drawn, ax=heat, label="log-odds lost, ln(p / (1 - p)); blue: won", shrink=0.85)
    return figure


def _step_title(step: BlockStep) -> str:
    verb, _, operation = step.title.partition(": ")
    return f"{verb}\n{operation}\n{shape_in_words(step.values.shape)}"


def _show_values(figure: Figure | SubFigure, axes: Axes, values: NDArray[Any], *, bar: bool = True) -> None:
    """Show a map of values: signed ones with 0 in the middle, others from 0 up."""
    if values.min() < 0:
        limit = float(np.abs(values).max())
        drawn = axes.imshow(values, cmap=_SIGNED, vmin=-limit, vmax=limit)
    else:
        drawn = axes.imshow(values, cmap=_POSITIVE, vmin=0, vmax=float(values.max()) or 1)
    if bar:
        figure.colorbar(drawn, ax=axes, shrink=0.8).ax.tick_params(labelsize=8)


def _show_filter(axes: Axes, kernel: NDArray[np.float32], *, numbers: bool = True) -> int | None:
    """Show the kernel `(rows, columns, channels)` of one filter; return the channel if it is one of several."""
    if kernel.shape[-1] == 3:
        limit = float(np.abs(kernel).max()) or 1
        axes.imshow(0.5 + kernel / (2 * limit))  # grey is 0
        return None
    channel = int(np.square(kernel).sum(axis=(0, 1)).argmax())
    _show_kernel(axes, kernel[..., channel], numbers=numbers)
    return channel if kernel.shape[-1] > 1 else None


def _show_kernel(axes: Axes, kernel: NDArray[Any], *, numbers: bool = True) -> None:
    """Show a kernel `(rows, columns)`, with its numbers where there is room."""
    limit = float(np.abs(kernel).max()) or 1
    axes.imshow(kernel, cmap=_SIGNED, vmin=-limit, vmax=limit)
    if numbers and max(kernel.shape) <= _NUMBERED_KERNEL:
        size = 30 / max(kernel.shape) + 2
        for (row, column), value in np.ndenumerate(kernel):
            axes.text(column, row, f"{round(float(value), 2) + 0.0:g}", ha="center", va="center", fontsize=size)


def _units(title: str, values: NDArray[np.float32], labels: tuple[str, ...]) -> Figure:
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(values))
    axes.bar(places, values, color=np.where(values < 0, BLUE, VERMILLION), width=0.9)
    axes.set_title(title, fontsize=14)
    axes.set_ylabel("value", fontsize=12)
    axes.axhline(0, color=GREY, linewidth=0.8)
    if len(values) == len(labels):
        axes.set_xticks(places, labels, rotation=90 if max(map(len, labels)) > 3 else 0)
    else:
        axes.set_xlabel("unit", fontsize=12)
    tidy(axes)
    return figure
