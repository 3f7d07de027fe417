"""Which file to ship and why, and what the figures do not show."""

from collections.abc import Sequence

from edgecnn_benchmarks.judging.thread_counts import choose_threads
from edgecnn_benchmarks.machine.description import Machine
from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.measuring.timing import speedups
from edgecnn_benchmarks.settings import BenchSettings
from edgecnn_benchmarks.statistics.intervals import MIN_ROUNDS_FOR_95, tells_apart
from edgecnn_benchmarks.statistics.quantities import images, microseconds, percent, size, times
from edgecnn_runtime.accuracy import Accuracy

# Accuracy that may be given for speed, as a share: one point.
MAX_DROP = 0.01
# Of a difference such as 0.99 - 0.98.
_ROUNDING = 1e-6
# Files that cannot be told apart, and whose medians are this near, are called equally fast. Beyond it, too few or too
# noisy rounds are the reason, and none to choose the slower.
_EQUALLY_FAST = 1.1
# Load per processor from which on a machine is called busy.
_BUSY = 0.75


def recommend(rows: Sequence[BenchRow]) -> BenchRow:
    """Choose the fastest file whose accuracy is within one point of the best.

    Where another of these cannot be told from the fastest, the smallest of them is chosen. Files without an
    accuracy are not chosen where others have one.
    """
    return choose(_accurate_enough([row for row in rows if row.is_file] or rows))


def choose(rows: Sequence[BenchRow]) -> BenchRow:
    """Choose the fastest of these rows, and the smallest of those that are as fast by all that was measured."""
    fastest = min(rows, key=lambda row: row.latency_us.p50.value)
    as_fast = [
        row
        for row in rows
        if row.latency_us.p50.value <= _EQUALLY_FAST * fastest.latency_us.p50.value
        and not tells_apart(speedups(row.rounds, fastest.rounds))
    ]
    return min(as_fast, key=lambda row: row.size_bytes)


def _accurate_enough(rows: Sequence[BenchRow]) -> list[BenchRow]:
    known = [(row, row.accuracy.value) for row in rows if row.accuracy is not None]
    if not known:
        return list(rows)
    best = max(accuracy for _, accuracy in known)
    return [row for row, accuracy in known if best - accuracy <= MAX_DROP + _ROUNDING]


def verdict(rows: Sequence[BenchRow], recommended: BenchRow, reference: BenchRow) -> str:
    """Say in one sentence which file to ship, in which engine, and why."""
    latency = microseconds(recommended.latency_us.p50.value)
    if recommended is reference or recommended.speedup is None:
        reasons = [f"{latency} per image", size(recommended.size_bytes)]
    else:
        against = f"{reference.name} ({latency} against {microseconds(reference.latency_us.p50.value)} per image)"
        speed = (
            f"cannot be told apart in speed from {against}"
            if recommended.told_apart is False
            else f"{times(recommended.speedup.value)} as fast as {against}"
        )
        reasons = [speed, _size_reason(recommended, reference)]
    reasons.append(_accuracy_reason(rows, recommended))
    return f"Ship {recommended.shipped}: {', '.join(reasons[:-1])} and {reasons[-1]}."


def _size_reason(row: BenchRow, reference: BenchRow) -> str:
    if row.size_bytes <= reference.size_bytes:
        return f"{times(reference.size_bytes / row.size_bytes)} smaller ({size(row.size_bytes)})"
    return f"{times(row.size_bytes / reference.size_bytes)} larger ({size(row.size_bytes)})"


def _accuracy_reason(rows: Sequence[BenchRow], row: BenchRow) -> str:
    if row.accuracy is None:
        return "of unknown accuracy, for want of labelled images"
    best = max((other.accuracy for other in rows if other.accuracy is not None), key=lambda accuracy: accuracy.value)
    accurate = f"{percent(row.accuracy.value)} accurate"
    if best.value - row.accuracy.value < _ROUNDING:
        return f"{accurate}, as good as any"
    return f"{accurate}, {difference(row.accuracy, best)} below the best"


def difference(one: Accuracy, other: Accuracy) -> str:
    """Say how far two accuracies are apart, and on how many images where both are of as many.

    >>> difference(Accuracy(298, 300), Accuracy(299, 300)), difference(Accuracy(9, 10), Accuracy(8, 20))
    ('0.33 points (1 image of 300)', '50.00 points')
    """
    points = f"{abs(one.value - other.value) * 100:.2f} points"
    if one.total != other.total:
        return points
    return f"{points} ({images(abs(one.correct - other.correct))} of {one.total:,})"


def notes(
    rows: Sequence[BenchRow], *, settings: BenchSettings, machine: Machine, whole: bool = True
) -> tuple[str, ...]:
    """Say in plain sentences what a reader of the figures must know; `whole` unless it was interrupted."""
    said = []
    rounds = len(rows[0].rounds)
    if whole and settings.rounds is not None and rounds < settings.rounds:
        said.append(
            f"Only {rounds} of {settings.rounds} rounds fitted into {settings.max_secs:g} s; "
            "a larger --max-secs gives narrower intervals."
        )
    wide = [row for row in rows if _widest(row) > settings.precision]
    if whole and settings.rounds is None and wide:
        widest = max(wide, key=_widest)
        said.append(
            f"{settings.max_secs:g} s did not suffice to know every median and ratio within "
            f"± {settings.precision * 100:g} %: that of {widest.name} is known within ± {_widest(widest) * 100:.1f} % "
            f"after {rounds} rounds. A larger --max-secs or an idle machine gives narrower intervals."
        )
    if rounds < MIN_ROUNDS_FOR_95:
        said.append(
            f"{rounds} rounds are too few for a 95 % interval: shown instead is the range of the "
            f"rounds. At least {MIN_ROUNDS_FOR_95} are needed."
        )
    if machine.load_average is not None and machine.load_average[0] >= _BUSY * machine.available_cpus:
        said.append(
            f"The machine was busy when the benchmark began (load average {machine.load_average[0]:.2f} on "
            f"{machine.available_cpus} processors): ratios can be trusted, absolute latencies less."
        )
    said += [choice.sentence for choice in choose_threads([row for row in rows if row.batch == settings.batch[0]])]
    return tuple(said)


def _widest(row: BenchRow) -> float:
    """Return half the wider of the two intervals that `--precision` is about, as a share."""
    return max(estimate.half_width for estimate in (row.latency_us.p50, row.speedup) if estimate is not None)
