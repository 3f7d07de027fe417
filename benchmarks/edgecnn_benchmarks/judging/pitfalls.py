"""Known ways to misread a benchmark, each reported where these figures have it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.machine.description import Machine
from edgecnn_benchmarks.machine.diagnosis import DIRECT_INT8
from edgecnn_benchmarks.machine.state import MachineState
from edgecnn_benchmarks.measuring.result import BenchRow, Pitfall
from edgecnn_benchmarks.statistics.quantities import listed, microseconds, times
from edgecnn_runtime.backends.engines import ENGINES

# A first call that takes so many times as long as a steady one is reported.
_SLOW_FIRST = 1.5
# A clock that has fallen by this share since the start is called slower; single readings scatter by some percent.
_SLOWER_CLOCK = 0.1
# Governors of Linux that change the clock with the load.
_SCALING = ("ondemand", "conservative", "powersave", "schedutil", "interactive")


@dataclass(frozen=True)
class Figures:
    """Where the pitfalls are looked for."""

    rows: Sequence[BenchRow]
    reference: BenchRow
    machine: Machine
    start: MachineState
    end: MachineState


def find_pitfalls(
    rows: Sequence[BenchRow], reference: BenchRow, *, machine: Machine, start: MachineState, end: MachineState
) -> tuple[Pitfall, ...]:
    """Find the known pitfalls in these figures."""
    figures = Figures(rows, reference, machine, start, end)
    return tuple(pitfall for find in _PITFALLS for pitfall in find(figures))


def _slow_schemes(figures: Figures) -> Iterator[Pitfall]:
    features = figures.machine.cpu_features
    multiplies_int8 = features is None or bool(set(features) & set(DIRECT_INT8))
    for known in (known for engine in ENGINES.values() for known in engine.slow_schemes):
        rows = [
            row
            for row in figures.rows
            if row.engine is not None
            and known in row.engine.slow_schemes
            and row.scheme.startswith(known.scheme)
            and row.provider == known.provider
        ]
        if rows and not (known.without_int8_instructions and multiplies_int8):
            slowest = max(rows, key=lambda row: row.latency_us.p50.value)
            time = microseconds(slowest.latency_us.p50.value)
            sentence = known.sentence.format(files=listed(_names(rows)), slowest=slowest.name, time=time)
            yield Pitfall(known.kind, sentence, _names(rows))


def _float16(figures: Figures) -> Iterator[Pitfall]:
    pairs = [
        (row, other)
        for row in figures.rows
        for other in figures.rows
        if row.scheme == "float16"
        and other.scheme == "float32"
        and (row.backend, row.format, row.threads, row.batch)
        == (other.backend, other.format, other.threads, other.batch)
        and row.engine is not None
        and row.provider in row.engine.cpu_providers
    ]
    # Some ARM processors multiply float16 directly; there it is no pitfall.
    slow = [row for row, other in pairs if row.latency_us.p50.value > 0.9 * other.latency_us.p50.value]
    yield from _about(
        slow,
        "float16-on-cpu",
        "float16 halves the file and is no faster on this CPU, which turns the weights back into float32 when it loads "
        "them; it is for GPUs, and for small downloads.",
    )


def _threads(figures: Figures) -> Iterator[Pitfall]:
    machine = figures.machine
    rows = [row for row in figures.rows if row.threads > machine.available_cpus]
    if rows:
        limit = f"{machine.available_cpus} processor{'s' if machine.available_cpus > 1 else ''}"
        if machine.quota_cpus is not None and machine.quota_cpus <= machine.available_cpus:
            limit += f" (this container may use {machine.quota_cpus:g})"
        most = max(row.threads for row in rows)
        yield Pitfall(
            "threads-over-cores",
            f"{most} threads on {limit}: threads that wait for one another make an inference slower, not faster.",
            _names(rows),
        )


def _first_run(figures: Figures) -> Iterator[Pitfall]:
    ratios = {row.name: row.first_us.value / row.latency_us.p50.value for row in figures.rows}
    slow = {name: ratio for name, ratio in ratios.items() if ratio >= _SLOW_FIRST}
    if slow:
        least, most = times(min(slow.values())), times(max(slow.values()))
        yield Pitfall(
            "first-run",
            f"The first call takes {least if least == most else f'{least} to {most}'} as long as a steady one; it is "
            "reported by itself, and a program that classifies one image and ends pays it.",
            tuple(slow),
        )


def _unstable(figures: Figures) -> Iterator[Pitfall]:
    rows = [row for row in figures.rows if sum(not measured.stable for measured in row.rounds) > len(row.rounds) / 2]
    yield from _about(
        rows,
        "not-settled",
        "in most rounds the latency had not settled when the warm-up ended, so some of the warm-up may be in the "
        "figures. Give it longer with a larger --warmup.",
    )


def _governor(figures: Figures) -> Iterator[Pitfall]:
    governor = figures.machine.governor
    if governor in _SCALING:
        yield Pitfall(
            "frequency-scaling",
            f"The frequency governor is {governor}, which changes the clock with the load: ratios can be trusted, "
            "absolute latencies less. For steady ones: 'sudo cpupower frequency-set -g performance'.",
        )


def _throttling(figures: Figures) -> Iterator[Pitfall]:
    start, end = figures.start, figures.end
    if start.throttle_count is not None and end.throttle_count is not None:
        count = end.throttle_count - start.throttle_count
        if count > 0:
            heat = "" if end.temperature_c is None else f", {end.temperature_c:.0f} °C at the end"
            yield Pitfall(
                "throttled",
                f"The processor was slowed down for heat or power {count} times while it was measured{heat}: cool it, "
                "or read these figures as those of a hot device.",
            )
    if start.frequencies_mhz and end.frequencies_mhz:
        before, after = (sum(state) / len(state) for state in (start.frequencies_mhz, end.frequencies_mhz))
        if after < (1 - _SLOWER_CLOCK) * before:
            yield Pitfall(
                "slower-clock",
                f"The clock fell from {before:,.0f} to {after:,.0f} MHz between the start and the end: ratios can be "
                "trusted, absolute latencies less.",
            )
    if start.quota_throttled_count is not None and end.quota_throttled_count is not None:
        count = end.quota_throttled_count - start.quota_throttled_count
        if count > 0:
            seconds = (end.quota_throttled_s or 0.0) - (start.quota_throttled_s or 0.0)
            yield Pitfall(
                "quota",
                f"The container's CPU quota held its processes back {count} times, {seconds:.1f} s in all, while they "
                "were measured: the higher percentiles are the quota's, not the models'.",
            )


def _names(rows: Sequence[BenchRow]) -> tuple[str, ...]:
    return tuple(row.name for row in rows)


def _about(rows: Sequence[BenchRow], kind: str, sentence: str) -> Iterator[Pitfall]:
    """Report a pitfall of some rows, which the sentence is to name first; nothing where there are none."""
    if rows:
        yield Pitfall(kind, f"{listed(_names(rows))}: {sentence}", _names(rows))


# In the order in which they are reported.
_PITFALLS: tuple[Callable[[Figures], Iterator[Pitfall]], ...] = (
    _slow_schemes,
    _float16,
    _threads,
    _first_run,
    _unstable,
    _governor,
    _throttling,
)
