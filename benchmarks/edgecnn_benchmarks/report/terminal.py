"""The figures and the estimates as tables of text, for a terminal."""

from edgecnn_benchmarks.measuring.device_estimates import CAVEAT
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.statistics.intervals import interval_name
from edgecnn_benchmarks.statistics.quantities import TextTable, percent, shorten, size, three_digits, times

# Letters of the widest first column with which the figures fit in 110 columns, and of the last one of the estimates.
_NAME, _BECAUSE = 22, 70


def terminal_table(result: BenchResult) -> TextTable:
    """Return the column heads and the rows, the fastest first, then those that were not measured, marked ✗."""
    factor, unit = (1e-3, "ms") if result.rows[-1].latency_us.p50.value >= 10_000 else (1.0, "µs")
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
    missing = [[f"{shorten(name, _NAME - 2)} ✗", *[""] * (len(heads) - 1)] for name in result.missing]
    return heads, [_cells(row, factor) for row in result.rows] + missing


def _cells(row: BenchRow, factor: float) -> list[str]:
    return [
        shorten(row.label, _NAME),
        three_digits(row.latency_us.p50.value * factor),
        f"{row.latency_us.p50.half_width * 100:.1f} %",
        three_digits(row.latency_us.p90.value * factor),
        three_digits(row.latency_us.p99.value * factor),
        three_digits(row.images_per_s.value),
        "ref" if row.speedup is None else times(row.speedup.value),
        "-" if row.accuracy is None else percent(row.accuracy.value),
        "-" if row.agreement is None else percent(row.agreement),
        "-" if row.cold_start_s is None else f"{row.cold_start_s.value:.2f}",
        "-" if row.peak_memory_bytes is None else f"{row.peak_memory_bytes / 1e6:.0f} MB",
        size(row.size_bytes),
    ]


def device_table(result: BenchResult) -> tuple[TextTable, str] | None:
    """Return the estimates of the fastest file that has some, and what to say below; those of others are in the report.

    None where there are no estimates.
    """
    if not result.estimates:
        return None
    fastest, others = result.estimates[0], len(result.estimates) - 1
    rows = [[device.device, device.answer, shorten(device.because, _BECAUSE)] for device in fastest.devices]
    text = f"{CAVEAT} They are for {fastest.file}: {fastest.needs}"
    if others:
        text += f" The report has those of {others} more."
    return (["device (estimate)", "runs", "because"], rows), text
