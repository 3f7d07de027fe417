"""Bars that compare one figure of all models, as inline SVG."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.report import svg
from edgecnn_benchmarks.statistics.quantities import shorten

_WIDTH, _ROW, _BAR = 460, 30, 14
_LABEL_WIDTH, _VALUE_WIDTH = 150, 84
_LONGEST = 20  # letters of a label


@dataclass(frozen=True)
class Bar:
    """One model's figure; `low` and `high` where it has an interval, all in one unit."""

    label: str
    kind: str  # the class in the style sheet
    value: float
    text: str
    # The same with its interval, in words.
    tip: str
    low: float | None = None
    high: float | None = None
    recommended: bool = False


def bars(rows: Sequence[Bar], *, title: str) -> str:
    """Draw bars from zero, so that their lengths compare as their values do."""
    longest = max(max(row.value, row.high or 0.0) for row in rows)
    unit = (_WIDTH - _LABEL_WIDTH - _VALUE_WIDTH) / longest
    drawn = [_bar(row, middle=(number + 0.5) * _ROW, unit=unit) for number, row in enumerate(rows)]
    return svg.drawing(_WIDTH, len(rows) * _ROW, *drawn, label=title)


def _bar(row: Bar, *, middle: float, unit: float) -> str:
    emphasis = " ship" if row.recommended else ""
    base_line = middle + 4.5
    length = row.value * unit
    parts = [
        svg.text(
            shorten(row.label, _LONGEST), x=_LABEL_WIDTH - 10, y=base_line, class_=f"label{emphasis}", anchor="end"
        ),
        svg.element(
            "rect",
            class_=f"bar {row.kind}",
            x=_LABEL_WIDTH,
            y=middle - _BAR / 2,
            width=max(length, 1.5),
            height=_BAR,
            rx=2,
        ),
    ]
    if row.low is not None and row.high is not None:
        ends = (_LABEL_WIDTH + row.low * unit, _LABEL_WIDTH + row.high * unit)
        parts.append(svg.element("path", class_="whisker", d=svg.interval(x=ends, y=middle)))
        length = max(length, row.high * unit)
    parts.append(svg.text(row.text, x=_LABEL_WIDTH + length + 8, y=base_line, class_=f"value{emphasis}"))
    return svg.telling(row.tip, *parts)
