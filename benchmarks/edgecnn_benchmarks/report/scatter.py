"""The chart of latency against accuracy and size, as inline SVG, with error bars and the Pareto front."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.report import svg
from edgecnn_benchmarks.report.figures_table import glyph
from edgecnn_benchmarks.report.label_places import Box, TakenSpace, find_place
from edgecnn_benchmarks.report.scale import Scale, scale_around
from edgecnn_benchmarks.statistics.intervals import interval_name
from edgecnn_benchmarks.statistics.quantities import (
    microseconds,
    microseconds_span,
    percent,
    percent_span,
    shorten,
    size,
)
from edgecnn_runtime.accuracy import Accuracy

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 18, 22, 54
_SMALLEST, _LARGEST = 4.5, 15.0  # radius of a mark, whose area shows the size of the file
_RING = 5.0  # from the mark of the recommended file to the ring around it
_LETTER, _LINE = 7.6, 17.0  # width of a bold letter and height of a line of a label, at 13 px
_LONGEST = 24  # letters of a label
# A label farther than this from its mark is tied to it by a line.
_NEAR = 24.0
# How much it matters that a label covers a mark or another label, and a thin line.
_LETTERS, _LINES = 10.0, 1.0


@dataclass(frozen=True)
class Point:
    """A model in the chart: its figures, and the places of its mark and of the ends of its intervals, in px."""

    row: BenchRow
    accuracy: Accuracy
    x: float
    y: float
    radius: float
    x_interval: tuple[float, float]
    y_interval: tuple[float, float]


def pareto_front(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """Return the models that no other beats in both latency and accuracy, the fastest first."""
    front: list[BenchRow] = []
    best = -1.0
    measured = [(row, row.accuracy.value) for row in rows if row.accuracy is not None]
    for row, accuracy in sorted(measured, key=lambda pair: (pair[0].latency_us.p50.value, -pair[1])):
        if accuracy > best:
            front.append(row)
            best = accuracy
    return front


def scatter(rows: Sequence[BenchRow], *, recommended: str, width: int, height: int) -> str:
    """Draw the models that have an accuracy; the recommended one stands out.

    Args:
        rows: at least one of them with an accuracy.
        recommended: the name of the row to ship.
        width: of the drawing, in px; the page may show it smaller.
        height: of the drawing, in px.
    """
    frame = Box(_LEFT, _TOP, width - _RIGHT, height - _BOTTOM)
    across, up = _scales(rows, frame)
    largest = max(row.size_bytes for row in rows if row.accuracy is not None)
    points = [_point(row, row.accuracy, across, up, largest) for row in rows if row.accuracy is not None]
    points.sort(key=lambda point: -point.radius)  # so that none hides a smaller one
    return svg.drawing(
        width,
        height,
        *_axes(across, up, frame),
        _front(points, frame),
        *(_error_bars(point) for point in points),
        *(_mark(point, recommended=point.row.name == recommended) for point in points),
        *_labels(points, frame, recommended),
        label=f"Latency against accuracy of {len(points)} models; arrow keys go from one to the next",
    )


def _scales(rows: Sequence[BenchRow], frame: Box) -> tuple[Scale, Scale]:
    latencies = [row.latency_us.p50 for row in rows if row.accuracy is not None]
    across = scale_around(
        min(latency.low for latency in latencies),
        max(latency.high for latency in latencies),
        start=frame.left,
        end=frame.right,
    )
    bounds = [bound for row in rows if row.accuracy is not None for bound in row.accuracy.interval]
    margin = max(0.002, (max(bounds) - min(bounds)) * 0.1)
    return across, Scale(min(bounds) - margin, max(bounds) + margin, frame.bottom, frame.top)


def _point(row: BenchRow, accuracy: Accuracy, across: Scale, up: Scale, largest: int) -> Point:
    latency, (low, high) = row.latency_us.p50, accuracy.interval
    return Point(
        row=row,
        accuracy=accuracy,
        x=across(latency.value),
        y=up(accuracy.value),
        radius=max(_SMALLEST, _LARGEST * math.sqrt(row.size_bytes / largest)),
        x_interval=(across(latency.low), across(latency.high)),
        y_interval=(up(low), up(high)),
    )


def _axes(across: Scale, up: Scale, frame: Box) -> Iterator[str]:
    for value, numbered in across.numbered_ticks():
        x = across(value)
        yield svg.line(x, frame.top, x, frame.bottom, class_="grid")
        if numbered:
            yield svg.text(microseconds(value), x=x, y=frame.bottom + 18, class_="tick", anchor="middle")
    shares = [value for value in up.ticks() if 0 <= value <= 1]
    decimals = _decimals(shares)
    for value in shares:
        y = up(value)
        yield svg.line(frame.left, y, frame.right, y, class_="grid")
        yield svg.text(f"{value * 100:.{decimals}f} %", x=frame.left - 8, y=y + 4, class_="tick", anchor="end")
    yield svg.line(frame.left, frame.bottom, frame.right, frame.bottom, class_="axis")
    yield svg.text("↑ accuracy", x=frame.left, y=frame.top - 8, class_="axis-title")
    yield svg.text("← faster", x=frame.left, y=frame.bottom + 42, class_="axis-title")
    what = f"median latency of one image{', logarithmic' if across.log else ''}"
    yield svg.text(what, x=frame.right, y=frame.bottom + 42, class_="axis-title", anchor="end")


def _decimals(shares: Sequence[float]) -> int:
    """Return how many decimals distinguish neighbouring ticks when they are written in percent."""
    if len(shares) < 2:
        return 1
    return max(0, -math.floor(math.log10((shares[1] - shares[0]) * 100) + 1e-9))


def _front_points(points: Sequence[Point]) -> list[Point]:
    return [point for row in pareto_front([point.row for point in points]) for point in points if point.row is row]


def _front(points: Sequence[Point], frame: Box) -> str:
    """Draw the steps that part what some model reaches from what none does."""
    front = _front_points(points)
    path = [f"M{front[0].x:.1f} {frame.bottom:.1f}V{front[0].y:.1f}"]
    path += [f"H{point.x:.1f}V{point.y:.1f}" for point in front[1:]]
    path.append(f"H{frame.right:.1f}")
    meaning = svg.title("Pareto front: no file is both faster and more accurate")
    return svg.element("path", meaning, class_="front", d="".join(path))


def _error_bars(point: Point) -> str:
    path = svg.upright_interval(x=point.x, y=point.y_interval) + svg.interval(x=point.x_interval, y=point.y)
    return svg.element("path", class_=f"error {point.row.format}", d=path)


def _mark(point: Point, *, recommended: bool) -> str:
    row, accuracy = point.row, point.accuracy
    latency = row.latency_us.p50
    tip = (
        f"{row.name}\n"
        f"latency {microseconds(latency.value)} ({interval_name(len(row.rounds))}: {microseconds_span(latency)})\n"
        f"accuracy {percent(accuracy.value)} (95 %: {percent_span(*accuracy.interval)})\n"
        f"size {size(row.size_bytes)}"
    )
    ring = [svg.element("circle", class_="ring", cx=point.x, cy=point.y, r=point.radius + _RING)] if recommended else []
    return svg.telling(tip, *ring, _shape(point))


def _shape(point: Point) -> str:
    """Draw a circle, a diamond or a square, all of the same area for the same size of file."""
    x, y, kind = point.x, point.y, point.row.format
    mark = glyph(kind)
    if mark == "●":
        return svg.element("circle", class_=f"mark {kind}", cx=x, cy=y, r=point.radius)
    if mark == "◆":
        r = point.radius * math.sqrt(math.pi / 2)
        diamond = f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z"
        return svg.element("path", class_=f"mark {kind}", d=diamond)
    side = point.radius * math.sqrt(math.pi)
    return svg.element("rect", class_=f"mark {kind}", x=x - side / 2, y=y - side / 2, width=side, height=side)


def _labels(points: Sequence[Point], frame: Box, recommended: str) -> Iterator[str]:
    """Write the labels, the recommended one first, clear of one another and of what is drawn."""
    obstacles = [*_obstacles(points, recommended), *_front_obstacles(points, frame)]
    for point in sorted(points, key=lambda point: point.row.name != recommended):
        content = shorten(point.row.label, _LONGEST)
        place = find_place(
            point.x, point.y, width=len(content) * _LETTER, height=_LINE, frame=frame, obstacles=obstacles
        )
        box = place.box
        obstacles.append(TakenSpace(box, _LETTERS))
        if place.distance > _NEAR:
            nearest_x = min(max(point.x, box.left), box.right)
            nearest_y = min(max(point.y, box.top), box.bottom)
            yield svg.line(point.x, point.y, nearest_x, nearest_y, class_="leader")
        emphasis = " ship" if point.row.name == recommended else ""
        yield svg.text(
            content, x=(box.left + box.right) / 2, y=box.bottom - 4, class_=f"label{emphasis}", anchor="middle"
        )


def _obstacles(points: Sequence[Point], recommended: str) -> Iterator[TakenSpace]:
    for point in points:
        reach = point.radius + (_RING if point.row.name == recommended else 0) + 2
        x, y, (left, right), (low, high) = point.x, point.y, point.x_interval, point.y_interval
        yield TakenSpace(Box(x - reach, y - reach, x + reach, y + reach), _LETTERS)
        yield TakenSpace(Box(x - 3, high, x + 3, low), _LINES)
        yield TakenSpace(Box(left - 2, y - 3, right + 2, y + 3), _LINES)


def _front_obstacles(points: Sequence[Point], frame: Box) -> Iterator[TakenSpace]:
    corners = _front_points(points)
    for point, after in zip(corners, [*corners[1:], None], strict=True):
        end = frame.right if after is None else after.x
        yield TakenSpace(Box(point.x, point.y - 2, end, point.y + 2), _LINES)
