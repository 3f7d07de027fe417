"""How the figures look, and how they are written: without a display, atomically.

Blue and vermillion throughout, of M. Okabe and K. Ito's colour-blind safe palette, https://jfly.uni-koeln.de/color.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.accuracy import Accuracy
from edgecnn_runtime.system.atomic_files import atomic_write

BLUE, VERMILLION, GREY = "#0072B2", "#D55E00", "#666666"

DOTS_PER_INCH = 150
# A figure with more pixels a side than this is drawn coarser: viewers and browsers give up on larger ones.
_LARGEST_SIDE = 8000


def write_png(figure: Figure, path: Path) -> None:
    """Draw a figure into a PNG file."""
    figure.set_dpi(min(DOTS_PER_INCH, _LARGEST_SIDE / max(figure.get_size_inches())))
    canvas = FigureCanvasAgg(figure)
    # Once: `savefig` draws a second time, to lay out what is laid out here already.
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    with atomic_write(path) as partial:
        # Level 6, the default, takes as long as drawing, for files that are 6 % smaller.
        Image.fromarray(pixels).convert("RGB").save(partial, format="PNG", compress_level=1)


def show_image(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    """Show uint8 pixels `(height, width, 1 or 3)`, grey or RGB, without ticks."""
    axes.imshow(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, cmap="gray", vmin=0, vmax=255)
    axes.axis("off")


def tidy(axes: Axes) -> None:
    """Leave out the lines of a diagram that carry no meaning."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=11)


def accuracy_in_words(accuracy: Accuracy) -> str:
    """Say an accuracy with its interval, for a title."""
    low, high = accuracy.interval
    return (
        f"{accuracy.correct:,} of {accuracy.total:,} right: {accuracy.value:.2%} (95% interval {low:.2%} to {high:.2%})"
    )
