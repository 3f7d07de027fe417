"""The machine, what changed on it meanwhile, and how it was measured, in words."""

from collections.abc import Iterable, Iterator
from html import escape

from edgecnn_benchmarks.machine.state import MachineState
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.measuring.rounds import ROUND_SECS, WARMUP_SECS
from edgecnn_benchmarks.statistics.quantities import size


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Write terms with their descriptions."""
    return "".join(f"<dt>{escape(term)}</dt><dd>{escape(text)}</dd>" for term, text in pairs)


def machine_facts(result: BenchResult) -> Iterator[tuple[str, str]]:
    """Say what the machine is, and what of it changed between the start and the end."""
    machine = result.machine
    if result.host is not None:
        yield "Host", f"{result.host}, by SSH"
    yield "Processor", f"{machine.cpu}, {machine.architecture}"
    cores = "" if machine.physical_cores is None else f", {machine.physical_cores} cores"
    yield "Available", f"{machine.available_cpus} of {machine.online_cpus} processors{cores}"
    if machine.cpu_features is not None:
        yield "Instructions", ", ".join(machine.cpu_features) or "none that speed up int8"
    if machine.governor is not None:
        yield "Governor", machine.governor
    if machine.memory_bytes is not None:
        yield "Memory", size(machine.memory_bytes)
    yield from _changes(result.start, result.end)
    yield "System", f"{machine.system}, kernel {machine.kernel}"
    yield "Python", machine.python


def _changes(start: MachineState, end: MachineState) -> Iterator[tuple[str, str]]:
    if start.load_average is not None and end.load_average is not None:
        yield "Load, 1 minute", f"{start.load_average[0]:.2f} at the start, {end.load_average[0]:.2f} at the end"
    for term, unit, before, after in (
        ("Clock", "MHz", _mean(start.frequencies_mhz), _mean(end.frequencies_mhz)),
        ("Temperature", "°C", start.temperature_c, end.temperature_c),
    ):
        if before is not None and after is not None:
            yield term, f"{before:.0f} {unit} at the start, {after:.0f} {unit} at the end"
        else:
            yield term, "not reported by this system"
    if start.throttle_count is not None and end.throttle_count is not None:
        yield "Throttled", f"{end.throttle_count - start.throttle_count} times for heat or power"
    if start.quota_throttled_s is not None and end.quota_throttled_s is not None:
        yield "Held back", f"{end.quota_throttled_s - start.quota_throttled_s:.1f} s by this container's quota"


def _mean(values: tuple[float, ...] | None) -> float | None:
    return sum(values) / len(values) if values else None


def method(result: BenchResult) -> Iterator[str]:
    """Say how each figure was measured."""
    settings, rounds = result.settings, len(result.rows[0].rounds)
    calls = sum(measured.runs for measured in result.rows[0].rounds)
    pictures = "the test images" if result.data else "generated images"
    yield (
        f"Latency: {rounds} rounds, {calls:,} timed calls of the fastest file. In each round every file gets one turn "
        f"in random order, alone, in a fresh process: at least {settings.warmup} calls and {WARMUP_SECS:g} s of "
        f"warm-up, until the latency is stable, then at least {settings.runs} timed ones and {ROUND_SECS:g} s, garbage "
        f"collection off. The time is what a program sees: Classifier.predict_proba of {pictures} of the model's "
        "size, copying and scaling included."
    )
    yield (
        "Percentiles are taken within a round; the table shows their median over the rounds, with the "
        "distribution-free 95 % interval of that median (order statistics). The speed-up is the ratio of the medians "
        "within one round, where both files met the same disturbance; above 1 is faster than the reference. Two files "
        "differ clearly where the 99 % interval of their ratio leaves 1 out."
    )
    yield "First call: the first inference after the file was opened; it is in no other figure."
    yield (
        "Cold start: from starting a Python process to its printed label of one PNG file, "
        f"{settings.starts} starts per file in random order, file cache warm."
    )
    yield (
        "Memory: the resident set of a fresh process that opened the file and classified 100 images, and the "
        "largest it had until then."
    )
    if result.energy_absent is not None:
        yield f"Energy was not measured: {result.energy_absent}."
    if result.data is not None:
        yield _data_method(result)
    yield "Ship: the fastest file within 1 point of the best accuracy; the smaller where two are equally fast."


def _data_method(result: BenchResult) -> str:
    assert result.data is not None  # as the caller looked
    fingerprint = f", fingerprint {result.data.fingerprint[:12]}" if result.data.fingerprint else ""
    images = f"the {result.data.images:,} test images of {result.data.name}{fingerprint}"
    if all(row.accuracy is None for row in result.rows):
        return (
            f"Agreement: the same most probable class as the Keras model on {images}, "
            "which have no labels or were trained on."
        )
    return (
        f"Accuracy: the share of {images} whose most probable class is the labelled one, with the Wilson interval. "
        "Files are compared image by image (exact McNemar test)."
    )
