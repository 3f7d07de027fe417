"""All figures as a table whose columns can be sorted: each with its unit, and its interval where it has one."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow, Pitfall
from edgecnn_benchmarks.statistics.intervals import Estimate, interval_in_words, interval_name
from edgecnn_benchmarks.statistics.quantities import (
    microseconds,
    microseconds_span,
    percent,
    percent_span,
    seconds,
    seconds_span,
    size,
    span,
    three_digits,
    times,
)
from edgecnn_runtime.model_formats import MODEL_FORMATS


def glyph(kind: str) -> str:
    """Return the mark of a format, or of the Keras model."""
    return MODEL_FORMATS[kind].glyph if kind in MODEL_FORMATS else "■"


@dataclass(frozen=True)
class _Cell:
    """A figure, the small text below it, and the number it is sorted by; nothing where it was not measured."""

    text: str = "–"
    detail: str = ""
    key: float | None = None


@dataclass(frozen=True)
class _Column:
    """The head of a column, and how a row fills it."""

    head: str
    detail: str
    cell: Callable[[BenchRow], _Cell]


def figures_table(result: BenchResult) -> str:
    """Write the table, the fastest row first; columns that nothing was measured for are left out."""
    columns = [column for column in _columns(result) if any(column.cell(row).key is not None for row in result.rows)]
    heads = "".join(
        f'<th scope="col" aria-sort="{"ascending" if number == 0 else "none"}">'
        f'<button type="button">{escape(column.head)}<small>{escape(column.detail)}</small></button></th>'
        for number, column in enumerate(columns)
    )
    name = '<th scope="col" aria-sort="none"><button type="button">File<small>&nbsp;</small></button></th>'
    body = "".join(_line(row, columns, result) for row in result.rows)
    return f'<table class="sortable"><thead><tr>{name}{heads}</tr></thead><tbody>{body}</tbody></table>'


def _line(row: BenchRow, columns: Sequence[_Column], result: BenchResult) -> str:
    ship = row.name == result.recommended
    marks = "".join(
        _mark(number, pitfall)
        for number, pitfall in enumerate(result.pitfalls, start=1)
        # One that concerns most of the rows distinguishes none of them.
        if row.name in pitfall.rows and len(pitfall.rows) <= len(result.rows) / 2
    )
    head = (
        f'<th scope="row" data-key="{escape(row.name)}"><i class="{row.format}">{glyph(row.format)}</i>&nbsp;'
        f"{escape(row.label)}{' <em>ship</em>' if ship else ''}{marks}</th>"
    )
    cells = "".join(_cell(column.cell(row)) for column in columns)
    return f'<tr class="{"ship" if ship else "other"}">{head}{cells}</tr>'


def _mark(number: int, pitfall: Pitfall) -> str:
    return f' <a class="pitfall" href="#pitfall-{number}" title="{escape(pitfall.sentence)}">⚠{number}</a>'


def _cell(cell: _Cell) -> str:
    key = "" if cell.key is None else f' data-key="{cell.key:.9g}"'
    details = "".join(f"<small>{escape(line)}</small>" for line in cell.detail.split("\n"))
    return f"<td{key}>{escape(cell.text)}{details}</td>"


def _columns(result: BenchResult) -> Iterator[_Column]:
    rounds = min(len(row.rounds) for row in result.rows)
    interval = interval_in_words(rounds)
    swept = any(row.batch > 1 for row in result.rows)
    call = "per call" if swept else "per image"
    yield _Column("Median", f"{call}, {interval_name(rounds)}", lambda row: _duration(row.latency_us.p50))
    yield _Column("p95", interval, lambda row: _duration(row.latency_us.p95))
    yield _Column("p99", interval, lambda row: _duration(row.latency_us.p99))
    yield _Column("Speed-up", interval, _speedup)
    yield _Column("Accuracy", "95 % interval", _accuracy)
    yield _Column("Agreement", "with Keras", _agreement)
    yield _Column("First call", interval, lambda row: _duration(row.first_us))
    yield _Column("Cold start", interval_in_words(result.settings.starts, of="starts"), _cold_start)
    yield _Column("Memory", "peak, steady", _memory)
    yield _Column("Size", "gzipped", _size)
    yield _Column("Images/s", interval, lambda row: _plain(row.images_per_s, "/s"))
    yield _Column(
        "Energy per image", interval, lambda row: _Cell() if row.energy_mj is None else _energy(row.energy_mj)
    )


def _duration(estimate: Estimate) -> _Cell:
    return _Cell(microseconds(estimate.value), microseconds_span(estimate), estimate.value)


def _plain(estimate: Estimate, unit: str) -> _Cell:
    return _Cell(f"{three_digits(estimate.value)} {unit}", f"{span(estimate)} {unit}", estimate.value)


def _speedup(row: BenchRow) -> _Cell:
    if row.speedup is None:
        return _Cell("reference", "", 1.0)
    # Whether it may be chance is written beside the figure, not only in a note.
    chance = "" if row.told_apart else "\nno clear difference"
    return _Cell(times(row.speedup.value), f"{span(row.speedup)}×{chance}", row.speedup.value)


def _accuracy(row: BenchRow) -> _Cell:
    if row.accuracy is None:
        return _Cell()
    return _Cell(percent(row.accuracy.value), percent_span(*row.accuracy.interval), row.accuracy.value)


def _agreement(row: BenchRow) -> _Cell:
    return _Cell() if row.agreement is None else _Cell(percent(row.agreement), "", row.agreement)


def _cold_start(row: BenchRow) -> _Cell:
    start = row.cold_start_s
    return _Cell() if start is None else _Cell(seconds(start.value), seconds_span(start), start.value)


def _memory(row: BenchRow) -> _Cell:
    if row.peak_memory_bytes is None:
        return _Cell()
    steady = "" if row.steady_memory_bytes is None else f"{size(row.steady_memory_bytes)} steady"
    return _Cell(size(row.peak_memory_bytes), steady, row.peak_memory_bytes)


def _size(row: BenchRow) -> _Cell:
    zipped = "" if row.gzip_bytes is None else f"{size(row.gzip_bytes)} gzip"
    return _Cell(size(row.size_bytes), zipped, row.size_bytes)


def _energy(energy: Estimate) -> _Cell:
    return _plain(energy, "mJ")
