"""What differs between two benchmarks beside their figures, and what that means for the comparison."""

from collections.abc import Iterator, Sequence

from edgecnn_benchmarks.comparing.changes import Change, ChangeVerdict, same_images
from edgecnn_benchmarks.measuring.result import BenchResult
from edgecnn_benchmarks.statistics.quantities import times
from edgecnn_runtime.backends.engines import engine_packages

# The packages that compute, beside those of the engines: another version of one is another program.
_COMPUTING = ("edgecnn", "numpy", "keras", "tensorflow")
# Files from which on a common shift is looked for, and how close together their ratios must be.
_MANY, _CLOSE = 3, 1.06


def notes(first: BenchResult, second: BenchResult, changes: Sequence[Change]) -> tuple[str, ...]:
    """Say in plain sentences what a reader of the comparison must know."""
    return (
        *_machine_notes(first, second),
        *_version_notes(first, second),
        *_settings_notes(changes),
        *_data_notes(first, second),
        *_shift_notes(first, second, changes),
        *(
            f"The {which} benchmark: {result.partial}"
            for which, result in (("first", first), ("second", second))
            if result.partial is not None
        ),
    )


def _machine_notes(first: BenchResult, second: BenchResult) -> Iterator[str]:
    own, other = first.machine, second.machine
    if (own.cpu, own.architecture) != (other.cpu, other.architecture):
        yield (
            f"Two machines, {own.cpu} and {other.cpu}: a ratio of latencies compares the machines, and says of a "
            "version or a file only what differs between ratios. Accuracy and size compare as on one machine."
        )
        return
    differing = [
        f"{what} {before or 'not known'} and {after or 'not known'}"
        for what, before, after in (
            ("processors", own.available_cpus, other.available_cpus),
            ("governor", own.governor, other.governor),
            ("kernel", own.kernel, other.kernel),
            ("system", own.system, other.system),
        )
        if before != after
    ]
    if differing:
        yield f"The machine was not in the same state: {'; '.join(differing)}. Latencies may differ for that alone."


def _version_notes(first: BenchResult, second: BenchResult) -> Iterator[str]:
    before, after = first.machine.packages, second.machine.packages
    changed = [
        f"{name} {before.get(name, 'absent')} → {after.get(name, 'absent')}"
        for name in (*_COMPUTING, *engine_packages())
        if before.get(name) != after.get(name)
    ]
    if first.machine.python != second.machine.python:
        changed.append(f"Python {first.machine.python} → {second.machine.python}")
    if changed:
        yield f"Other versions: {', '.join(changed)}. A difference may come from them."


def _settings_notes(changes: Sequence[Change]) -> Iterator[str]:
    threads = [change.label for change in changes if change.first.threads != change.second.threads]
    batches = [change.label for change in changes if change.first.batch != change.second.batch]
    if threads:
        yield f"Not the same number of threads: {', '.join(threads)}. Their ratios also show the effect of the threads."
    if batches:
        yield f"Not the same batch: {', '.join(batches)}. Their ratios compare the time per image, which batches cut."
    if any(change.finding is ChangeVerdict.TOO_FEW_ROUNDS for change in changes):
        yield (
            "Too few rounds to tell a difference from chance: at least 5 in each benchmark are needed, better 12 "
            "(--rounds 12)."
        )


def _data_notes(first: BenchResult, second: BenchResult) -> Iterator[str]:
    if first.data is None or second.data is None:
        if first.data is not second.data:
            yield "Only one of the two has labelled images, so accuracies are not compared."
    elif not same_images(first, second):
        known = first.data.fingerprint is not None and second.data.fingerprint is not None
        what = "Other test images" if known or first.data.images != second.data.images else "Perhaps other test images"
        yield (
            f"{what} ({first.data.images:,} of {first.data.name}, {second.data.images:,} of {second.data.name}): "
            "accuracies are compared as of two samples, which only shows large differences."
        )


def _shift_notes(first: BenchResult, second: BenchResult, changes: Sequence[Change]) -> Iterator[str]:
    if first.machine.cpu != second.machine.cpu:
        return
    ratios = [
        change.latency_ratio.value
        for change in changes
        if change.finding in (ChangeVerdict.FASTER, ChangeVerdict.SLOWER)
    ]
    if len(ratios) == len(changes) >= _MANY and max(ratios) / min(ratios) <= _CLOSE:
        yield (
            f"All {len(ratios)} files moved together, to {times(min(ratios))} to {times(max(ratios))} the latency: "
            "that looks like the machine (another load, clock or library), not like the files. The intervals hold what "
            "varied within each benchmark, not what changed between the two."
        )
