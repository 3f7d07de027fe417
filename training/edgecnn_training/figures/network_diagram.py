"""The layers of a network in a column, with output shapes and parameters; drawn without Graphviz."""

import itertools
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from edgecnn_training.figures.style import GREY, VERMILLION
from edgecnn_training.networks.network_layers import LayerRow

# Rows to a column; a deeper network goes on in the next one.
_ROWS = 40
# Inches.
_ROW, _GAP, _COLUMN = 0.36, 0.16, 9.2
_INDENT, _MARGIN = 0.22, 0.3

# What a layer does, by the beginning of its class, and the tint of its box: O. K. Ito's colours, lightened.
_TINTS = {
    "Input": "#E6E6E6",
    "Conv": "#CFE4F2",
    "Depthwise": "#CFE4F2",
    "Separable": "#CFE4F2",
    "Dense": "#FBE3D3",
    "MaxPool": "#D5EFE4",
    "AveragePool": "#D5EFE4",
    "GlobalAverage": "#D5EFE4",
    "GlobalMax": "#D5EFE4",
}
_OTHER = "#F7F7F7"


def network_diagram(rows: Sequence[LayerRow], *, name: str) -> Figure:
    """Draw the layers of a network, those of nested models within a frame."""
    columns = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    total = sum(row.parameters for row in rows if row.depth == 0)
    frozen = sum(row.parameters for row in rows if row.frozen and not row.nested)
    height = len(columns[0]) * (_ROW + _GAP) + 2 * _MARGIN + 0.9
    width = len(columns) * (_COLUMN + _MARGIN) + _MARGIN
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(_MARGIN, 0.45, name, fontsize=17, fontweight="bold", va="center")
    axes.text(
        _MARGIN,
        0.82,
        f"{total:,} parameters" + (f", {total - frozen:,} trained, {frozen:,} frozen *" if frozen else ""),
        fontsize=12,
        color=GREY,
        va="center",
    )
    for number, column in enumerate(columns):
        _draw_column(axes, column, left=_MARGIN + number * (_COLUMN + _MARGIN), top=1.15)
    return figure


def _draw_column(axes: Axes, rows: Sequence[LayerRow], *, left: float, top: float) -> None:
    step = _ROW + _GAP
    for depth in range(1, max(row.depth for row in rows) + 1):
        _draw_frames(axes, rows, depth=depth, left=left, top=top)
    for index, row in enumerate(rows):
        y = top + index * step
        _draw_row(axes, row, left=left + row.depth * _INDENT, right=left + _COLUMN - row.depth * _INDENT, y=y)
        # A layer that reads others than the one before says which; the rest get an arrow.
        if index and not row.inputs:
            middle = left + _COLUMN / 2
            axes.annotate(
                "",
                (middle, y),
                (middle, y - _GAP),
                arrowprops={"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0},
            )


def _draw_frames(axes: Axes, rows: Sequence[LayerRow], *, depth: int, left: float, top: float) -> None:
    """Put a frame behind each unbroken range of rows that are at least so deep, and its head."""
    step = _ROW + _GAP
    place = 0
    for deep, group in itertools.groupby(rows, key=lambda row: row.depth >= depth):
        count = len(list(group))
        if deep:
            first = place - (1 if place and rows[place - 1].nested else 0)
            inset = (depth - 1) * _INDENT
            axes.add_patch(
                Rectangle(
                    (left + inset, top + first * step - 0.06),
                    _COLUMN - 2 * inset,
                    (place + count - first) * step - _GAP + 0.12,
                    facecolor="#00000008",
                    edgecolor=GREY,
                    linestyle=(0, (4, 3)),
                    linewidth=0.9,
                )
            )
        place += count


def _draw_row(axes: Axes, row: LayerRow, *, left: float, right: float, y: float) -> None:
    middle = y + _ROW / 2
    if not row.nested:
        tint = next((tint for start, tint in _TINTS.items() if row.kind.startswith(start)), _OTHER)
        axes.add_patch(
            FancyBboxPatch(
                (left + 0.06, y),
                right - left - 0.12,
                _ROW,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=tint,
                edgecolor="#999999",
                linewidth=0.8,
            )
        )
    weight = "bold" if row.nested else "normal"
    source = f"  ← {', '.join(row.inputs)}" if row.inputs else ""
    name = f"{row.name}{source}"
    axes.text(left + 0.18, middle, _cut(row.kind, 36), fontsize=10.5, fontweight=weight, va="center")
    axes.text(left + 3.2, middle, _cut(name, 46), fontsize=8.5, color=GREY, va="center")
    shape = " × ".join("N" if size is None else str(size) for size in row.shape)
    axes.text(right - 1.18, middle, shape, fontsize=10, va="center", ha="right", fontweight=weight)
    count = f"{row.parameters:,}" if row.parameters else "–"
    axes.text(
        right - 0.18,
        middle,
        count + (" *" if row.frozen else ""),
        fontsize=10,
        va="center",
        ha="right",
        color=VERMILLION if row.frozen else "black",
        fontweight=weight,
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
