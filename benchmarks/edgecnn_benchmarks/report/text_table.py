"""The figures as a table of text, for a terminal."""

from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.statistics.intervals import interval_name
from edgecnn_benchmarks.statistics.quantities import percent, shorten, size, three_digits, times

# Letters of the widest first column with which the table fits in 110 columns.
_NAME = 22


def terminal_table(result: BenchResult) -> tuple[list[str], list[list[str]]]:
    """Return the column heads and the rows, the fastest first, then those that were not measured, marked ✗."""
    in_ms = result.rows[-1].latency_us.p50.value >= 10_000
    factor, unit = (1e-3, "ms") if in_ms else (1.0, "µs")
    heads = [
        "file",
        f"p50 {unit}",
        f"±{interval_name(min(len(row.rounds) for row in result.rows))}",
        "p90",
        "p99",
        "img/s",
        "speed",
        "correct",
        "=Keras",
        "start s",
        "peak",
        "size",
    ]
    measured = {row.name for row in result.rows}
    failed = dict.fromkeys(failure.name for failure in result.failures if failure.name not in measured)
    missing = [[f"{shorten(name, _NAME - 2)} ✗", *[""] * (len(heads) - 1)] for name in failed]
    return heads, [_cells(row, factor) for row in result.rows] + missing


def _cells(row: BenchRow, factor: float) -> list[str]:
    latency = row.latency_us
    return [
        shorten(row.label, _NAME),
        three_digits(latency.p50.value * factor),
        f"{latency.p50.half_width * 100:.1f} %",
        three_digits(latency.p90.value * factor),
        three_digits(latency.p99.value * factor),
        three_digits(row.images_per_s.value),
        "ref" if row.speedup is None else times(row.speedup.value),
        "-" if row.accuracy is None else percent(row.accuracy.value),
        "-" if row.agreement is None else percent(row.agreement),
        "-" if row.cold_start_s is None else f"{row.cold_start_s.value:.2f}",
        "-" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.0f} MB",
        size(row.size_bytes),
    ]
