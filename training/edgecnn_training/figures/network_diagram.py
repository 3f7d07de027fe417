"""The layers of a network in a column, with output shapes and parameters; drawn without Graphviz."""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyBboxPatch, Rectangle

from edgecnn_training.figures.style import DOTS_PER_INCH, GREY, VERMILLION
from edgecnn_training.networks.network_layers import LayerRow, parameters_in_words

# Rows to a column at most, as long as there are no more columns; a very deep network makes them longer.
_ROWS, _COLUMNS = 40, 6
# Inches.
_ROW, _GAP = 0.36, 0.16
_INDENT, _MARGIN, _PADDING, _BETWEEN = 0.22, 0.3, 0.18, 0.35
# Points.
_TITLE, _SUBTITLE, _TEXT, _SMALL = 17, 12, 10.5, 8.5
# A longer name ends in "…"; `network.txt` has it whole.
_LONGEST_KIND, _LONGEST_NAME = 40, 60

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
    per_column = math.ceil(len(rows) / min(_COLUMNS, math.ceil(len(rows) / _ROWS)))
    columns = [rows[start : start + per_column] for start in range(0, len(rows), per_column)]
    layout = _Layout.of(rows)
    height = len(columns[0]) * (_ROW + _GAP) + 2 * _MARGIN + 0.9
    width = len(columns) * (layout.width + _MARGIN) + _MARGIN
    counted = parameters_in_words(rows)
    heads = max(_text_width(name, _TITLE, bold=True), _text_width(counted, _SUBTITLE)) + 2 * _MARGIN
    figure = Figure(figsize=(max(width, heads), height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, max(width, heads))
    axes.set_ylim(height, 0)
    axes.axis("off")
    axes.text(_MARGIN, 0.45, name, fontsize=_TITLE, fontweight="bold", va="center")
    axes.text(_MARGIN, 0.82, counted, fontsize=_SUBTITLE, color=GREY, va="center")
    for number, column in enumerate(columns):
        _draw_column(axes, column, layout, left=_MARGIN + number * (layout.width + _MARGIN), top=1.15)
    return figure


@dataclass(frozen=True)
class _Layout:
    """Where the texts of a row stand, in inches from the left of its column: as far apart as the longest need."""

    name: float
    shape: float  # its right end
    parameters: float  # its right end
    width: float  # of the column

    @classmethod
    def of(cls, rows: Sequence[LayerRow]) -> Self:
        deepest = _INDENT * max(row.depth for row in rows)
        kinds = max(_INDENT * row.depth + _text_width(_kind(row), _TEXT, bold=row.nested) for row in rows)
        name = _PADDING + kinds + _BETWEEN
        shape = name + _widest(rows, _name, _SMALL) + _BETWEEN + _widest(rows, lambda row: row.shape_text, _TEXT)
        parameters = shape + _BETWEEN + _widest(rows, lambda row: row.parameters_text, _TEXT)
        return cls(name, shape, parameters, width=parameters + _PADDING + deepest)


def _widest(rows: Iterable[LayerRow], text_of: Callable[[LayerRow], str], size: float) -> float:
    return max(_text_width(text_of(row), size, bold=row.nested) for row in rows)


def _text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a text in inches."""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    renderer = RendererAgg(1, 1, DOTS_PER_INCH)  # type: ignore[no-untyped-call]
    width: float = renderer.get_text_width_height_descent(text, font, ismath=False)[0]  # type: ignore[no-untyped-call]
    return width / DOTS_PER_INCH


def _draw_column(axes: Axes, rows: Sequence[LayerRow], layout: _Layout, *, left: float, top: float) -> None:
    step = _ROW + _GAP
    for depth in range(1, max(row.depth for row in rows) + 1):
        _draw_frames(axes, rows, layout.width, depth=depth, left=left, top=top)
    for index, row in enumerate(rows):
        y = top + index * step
        _draw_row(axes, row, layout, left=left, y=y)
        # A layer that reads others than the one before says which; the rest get an arrow.
        if index and not row.inputs:
            middle = left + layout.width / 2
            axes.annotate(
                "",
                (middle, y),
                (middle, y - _GAP),
                arrowprops={"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0},
            )


def _draw_frames(axes: Axes, rows: Sequence[LayerRow], width: float, *, depth: int, left: float, top: float) -> None:
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
                    width - 2 * inset,
                    (place + count - first) * step - _GAP + 0.12,
                    facecolor="#00000008",
                    edgecolor=GREY,
                    linestyle=(0, (4, 3)),
                    linewidth=0.9,
                )
            )
        place += count


def _draw_row(axes: Axes, row: LayerRow, layout: _Layout, *, left: float, y: float) -> None:
    middle = y + _ROW / 2
    indent = row.depth * _INDENT
    if not row.nested:
        tint = next((tint for start, tint in _TINTS.items() if row.kind.startswith(start)), _OTHER)
        axes.add_patch(
            FancyBboxPatch(
                (left + indent + 0.06, y),
                layout.width - 2 * indent - 0.12,
                _ROW,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=tint,
                edgecolor="#999999",
                linewidth=0.8,
            )
        )

    def text(x: float, content: str, *, size: float = _TEXT, ha: str = "left", color: str = "black") -> None:
        weight = "bold" if row.nested else "normal"
        axes.text(left + x, middle, content, fontsize=size, fontweight=weight, color=color, ha=ha, va="center")

    text(_PADDING + indent, _kind(row))
    text(layout.name, _name(row), size=_SMALL, color=GREY)
    text(layout.shape, row.shape_text, ha="right")
    text(layout.parameters, row.parameters_text, ha="right", color=VERMILLION if row.frozen else "black")


def _kind(row: LayerRow) -> str:
    return _cut(row.kind, _LONGEST_KIND)


def _name(row: LayerRow) -> str:
    return _cut(f"{row.name}  ← {', '.join(row.inputs)}" if row.inputs else row.name, _LONGEST_NAME)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
