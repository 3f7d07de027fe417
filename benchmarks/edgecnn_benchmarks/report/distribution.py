"""How the latencies of each row are spread: not only the middle, also the slow calls, and the first one."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.report import svg
from edgecnn_benchmarks.report.scale import Scale, scale_around
from edgecnn_benchmarks.statistics.intervals import interval_name
from edgecnn_benchmarks.statistics.quantities import microseconds, shorten

_LABEL_WIDTH, _RIGHT, _BOTTOM = 176, 22, 34
_ROW = 34
_LONGEST = 24  # letters of a label
# Below this width the labels are above their rows.
_NARROW = 600
# Half the height of the parts: the middle half of the calls, the middle 90 %, a tick.
_BOX, _BAND, _TICK = 8.0, 4.0, 11.0


@dataclass(frozen=True)
class _Place:
    """Where a row is drawn."""

    middle: float
    base_line: float
    label_x: float
    anchor: str


def distribution(rows: Sequence[BenchRow], *, recommended: str, width: int) -> str:
    """Draw the percentiles 1 to 99 of every row, its median and its first call, on one axis.

    Args:
        rows: with `quantiles_us`, 101 percentiles of a call.
        recommended: the name of the row to ship.
        width: of the drawing, in px; the page may show it smaller.
    """
    narrow = width < _NARROW
    left = 12 if narrow else _LABEL_WIDTH
    height = _ROW + (18 if narrow else 0)
    across = scale_around(
        min(row.quantiles_us[1] for row in rows),
        max(max(row.quantiles_us[99], row.first_us.value) for row in rows),
        start=left,
        end=width - _RIGHT,
    )
    bottom = len(rows) * height
    drawn = []
    for number, row in enumerate(rows):
        middle = number * height + (height - _ROW / 2 if narrow else height / 2)
        base_line = middle - 16 if narrow else middle + 4.5
        place = _Place(middle, base_line, left if narrow else left - 12, "start" if narrow else "end")
        drawn.append(_row(row, across, place, recommended=row.name == recommended))
    return svg.drawing(
        width,
        bottom + _BOTTOM,
        *_axis(across, bottom),
        *drawn,
        label=f"Distribution of the latencies of {len(rows)} models; arrow keys go from one to the next",
    )


def _axis(across: Scale, bottom: float) -> list[str]:
    parts = []
    for value, numbered in across.numbered_ticks():
        x = across(value)
        parts.append(svg.line(x, 0, x, bottom, class_="grid"))
        if numbered:
            parts.append(svg.text(microseconds(value), x=x, y=bottom + 18, class_="tick", anchor="middle"))
    return parts


def _row(row: BenchRow, across: Scale, place: _Place, *, recommended: bool) -> str:
    quantiles, middle = row.quantiles_us, place.middle
    ends = across(quantiles[1]), across(quantiles[99])
    median, first = across(quantiles[50]), across(row.first_us.value)
    whole = (
        f"M{ends[0]:.1f} {middle:.1f}H{ends[1]:.1f}M{ends[0]:.1f} {middle - 4:.1f}v8M{ends[1]:.1f} {middle - 4:.1f}v8"
    )
    tip = (
        f"{row.name}\n"
        f"median {microseconds(quantiles[50])}, half of the calls {_range(quantiles, 25, 75)}\n"
        f"90 % of them {_range(quantiles, 5, 95)}, 98 % {_range(quantiles, 1, 99)}\n"
        f"fastest {microseconds(quantiles[0])}, slowest {microseconds(quantiles[100])}\n"
        f"first call {microseconds(row.first_us.value)} "
        f"({interval_name(len(row.rounds))}: {microseconds(row.first_us.low)} to {microseconds(row.first_us.high)})"
    )
    triangle = f"M{first - 5:.1f} {middle - 5:.1f}h10l-5 9z"
    return svg.telling(
        tip,
        svg.element("rect", class_="hit", x=0.0, y=middle - _ROW / 2, width=across.end + _RIGHT, height=float(_ROW)),
        svg.text(
            shorten(row.label, _LONGEST),
            x=place.label_x,
            y=place.base_line,
            class_=f"label{' ship' if recommended else ''}",
            anchor=place.anchor,
        ),
        svg.element("path", class_=f"error {row.format}", d=whole),
        _bar(across, quantiles, 5, 95, middle, _BAND, f"band {row.format}"),
        _bar(across, quantiles, 25, 75, middle, _BOX, f"bar {row.format}"),
        svg.line(median, middle - _TICK, median, middle + _TICK, class_="median"),
        svg.element("path", class_="first", d=triangle),
    )


def _bar(
    across: Scale, quantiles: Sequence[float], low: int, high: int, middle: float, half: float, class_: str
) -> str:
    start, end = across(quantiles[low]), across(quantiles[high])
    return svg.element(
        "rect", class_=class_, x=start, y=middle - half, width=max(end - start, 1.0), height=half * 2, rx=2.0
    )


def _range(quantiles: Sequence[float], low: int, high: int) -> str:
    return f"{microseconds(quantiles[low])} to {microseconds(quantiles[high])}"
