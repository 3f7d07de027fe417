"""The comparison as tables of text, for a terminal."""

from edgecnn_benchmarks.comparing.changes import AccuracyChange, Change
from edgecnn_benchmarks.comparing.comparison import Comparison
from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.statistics.quantities import TextTable, microseconds, percent, shorten, size, span, times

_NAME = 26


def latency_table(comparison: Comparison) -> TextTable:
    """Return heads and rows of the median latencies of one image."""
    heads = ["file", "p50 A", "p50 B", "B:A", "95 %", "latency of B"]
    return heads, [_latency_cells(change) for change in comparison.changes]


def _latency_cells(change: Change) -> list[str]:
    return [
        shorten(change.label, _NAME),
        *(microseconds(row.latency_us.p50.value / row.batch) for row in (change.first, change.second)),
        times(change.latency_ratio.value),
        span(change.latency_ratio),
        str(change.finding),
    ]


def other_table(comparison: Comparison) -> TextTable:
    """Return heads and rows of accuracy, size and memory."""
    heads = ["file", "correct A", "correct B", "points", "95 %", "p", "size A", "size B", "peak A", "peak B"]
    return heads, [_other_cells(change) for change in comparison.changes]


def _other_cells(change: Change) -> list[str]:
    rows = change.first, change.second
    return [
        shorten(change.label, _NAME),
        *_accuracy_cells(change.accuracy),
        *(size(row.size_bytes) for row in rows),
        *(_peak(row) for row in rows),
    ]


def _accuracy_cells(change: AccuracyChange | None) -> list[str]:
    if change is None:
        return ["-"] * 5
    difference = change.difference
    return [
        percent(change.first.value),
        percent(change.second.value),
        f"{difference.value * 100:+.2f}",
        f"{difference.low * 100:+.2f}…{difference.high * 100:+.2f}",
        "-" if change.p_value is None else f"{change.p_value:.2g}",
    ]


def _peak(row: BenchRow) -> str:
    return "-" if row.peak_memory_bytes is None else size(row.peak_memory_bytes)
