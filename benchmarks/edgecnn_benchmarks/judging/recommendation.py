"""Which file to ship under given limits, the runner-up, and what rules out the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edgecnn_benchmarks.judging.verdict import choose, difference
from edgecnn_benchmarks.measuring.result import BenchResult, BenchRow
from edgecnn_benchmarks.measuring.timing import speedup, speedups
from edgecnn_benchmarks.statistics.intervals import interval_name, tells_apart
from edgecnn_benchmarks.statistics.quantities import microseconds, microseconds_span, percent, size, times
from edgecnn_runtime.accuracy import Accuracy

# A rounding error of a difference such as 0.99 - 0.98.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class ShipLimits:
    """What a file must keep to; None where anything goes."""

    # Accuracy below the best of the files and the Keras model, as a share.
    max_drop: float = 0.01
    # Median latency of one image.
    max_latency_us: float | None = None
    max_size_bytes: float | None = None
    # Files, by their names, that the target cannot run, and why.
    unfit: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Other:
    """A file that is not the one to ship, and why."""

    name: str
    reason: str
    fits: bool  # within all limits
    on_front: bool


@dataclass(frozen=True)
class Recommendation:
    """The answer to "which file do I ship?"; `ship` is None where nothing is within the limits."""

    ship: str | None
    # Of it.
    file: str | None
    engine: str | None
    sentence: str
    runner_up: str | None
    # The file that breaks the limits least, where none keeps to them.
    nearest: str | None
    ship_on_front: bool
    others: tuple[Other, ...]
    cautions: tuple[str, ...]


@dataclass(frozen=True)
class _Excess:
    """A limit that is broken: by how much, as a factor's logarithm or in points over the allowed ones."""

    reason: str
    amount: float


def recommend_within(result: BenchResult, limits: ShipLimits) -> Recommendation:
    """Choose the fastest file within all limits, the smaller where two are equally fast."""
    rows = [row for row in result.rows if row.is_file]
    best = _best_accuracy(result, rows)
    excesses = {row.name: list(_excesses(row, limits, best)) for row in rows}
    fitting = [row for row in rows if not excesses[row.name]]
    front = {row.name for row in undominated(rows)}
    if not fitting:
        return _nothing_fits(rows, excesses, front)
    ship = choose(fitting)
    rest = [row for row in fitting if row is not ship]
    runner_up = choose(rest) if rest else None
    others = tuple(
        Other(
            row.name,
            "; ".join(excess.reason for excess in excesses[row.name]) or _why_not(row, ship),
            fits=not excesses[row.name],
            on_front=row.name in front,
        )
        for row in rows
        if row is not ship
    )
    return Recommendation(
        ship=ship.name,
        file=ship.file,
        engine=ship.engine.name if ship.engine else None,
        sentence=_sentence(ship, runner_up, best, limits),
        runner_up=None if runner_up is None else runner_up.name,
        nearest=None,
        ship_on_front=ship.name in front,
        others=others,
        cautions=tuple(_cautions(result, ship, limits, best)),
    )


def undominated(rows: Sequence[BenchRow]) -> list[BenchRow]:
    """Return the rows that no other beats: at least as fast, as accurate and as small, and better in one of them."""
    return [row for row in rows if not any(_beats(other, row) for other in rows)]


def _beats(first: BenchRow, second: BenchRow) -> bool:
    own, theirs = _costs(first), _costs(second)
    return own != theirs and all(mine <= others for mine, others in zip(own, theirs, strict=True))


def _costs(row: BenchRow) -> tuple[float, float, float]:
    """Return latency, size and inaccuracy: the less of each, the better."""
    return row.latency_us.p50.value, row.size_bytes, -row.accuracy.value if row.accuracy is not None else math.inf


def _best_accuracy(result: BenchResult, rows: Sequence[BenchRow]) -> Accuracy | None:
    known = [row.accuracy for row in rows if row.accuracy is not None]
    if not known:
        return None
    compared = known if result.keras_accuracy is None else [*known, result.keras_accuracy]
    return max(compared, key=lambda accuracy: accuracy.value)


def _excesses(row: BenchRow, limits: ShipLimits, best: Accuracy | None) -> list[_Excess]:
    found = []
    if row.file in limits.unfit:
        found.append(_Excess(limits.unfit[row.file], 10.0))
    if best is not None:
        if row.accuracy is None:
            found.append(_Excess("its accuracy is not known", 1.0))
        elif best.value - row.accuracy.value > limits.max_drop + _ROUNDING:
            drop = best.value - row.accuracy.value
            apart = difference(row.accuracy, best)
            reason = f"{apart} less accurate than the best, {limits.max_drop * 100:g} allowed"
            # A point too many weighs as much as being 10 % too slow.
            found.append(_Excess(reason, (drop - limits.max_drop) * 10))
    for value, most, write in (
        (row.latency_us.p50.value, limits.max_latency_us, microseconds),
        (row.size_bytes, limits.max_size_bytes, size),
    ):
        if most is not None and value > most:
            found.append(_Excess(f"{write(value)}, {write(most)} allowed", math.log(value / most)))
    return found


def _why_not(row: BenchRow, ship: BenchRow) -> str:
    """Say what a file that fits lacks, beside the one to ship."""
    parts = [_speed(row, ship), _bulk(row, ship)]
    if row.accuracy is not None and ship.accuracy is not None:
        gain = row.accuracy.value - ship.accuracy.value
        more = "more" if gain > 0 else "less"
        parts.append(
            "as accurate" if abs(gain) < _ROUNDING else f"{difference(row.accuracy, ship.accuracy)} {more} accurate"
        )
    begin = "fits, and is better in nothing: " if _beats(ship, row) else "fits: "
    return begin + ", ".join(parts)


def _speed(row: BenchRow, ship: BenchRow) -> str:
    if not tells_apart(speedups(row.rounds, ship.rounds)):
        return f"cannot be told apart in speed ({microseconds(row.latency_us.p50.value)})"
    ratio = speedup(row.rounds, ship.rounds)
    return f"{times(ratio.value)} as fast" if ratio.value > 1 else f"{times(1 / ratio.value)} the latency"


def _bulk(row: BenchRow, ship: BenchRow) -> str:
    ratio = row.size_bytes / ship.size_bytes
    if abs(ratio - 1) < 0.01:
        return "as large"
    return f"{times(ratio)} as large" if ratio > 1 else f"{times(1 / ratio)} smaller"


def _sentence(ship: BenchRow, runner_up: BenchRow | None, best: Accuracy | None, limits: ShipLimits) -> str:
    latency = ship.latency_us.p50
    interval = f"{interval_name(len(ship.rounds))}: {microseconds_span(latency)}"
    reasons = [f"{microseconds(latency.value)} per image ({interval})"]
    if runner_up is not None and not tells_apart(speedups(runner_up.rounds, ship.rounds)):
        reasons.append(f"it cannot be told apart in speed from {runner_up.name}")
    reasons.append(size(ship.size_bytes))
    if ship.accuracy is not None and best is not None:
        behind = best.value - ship.accuracy.value
        below = "as good as any" if behind < _ROUNDING else f"{difference(ship.accuracy, best)} below the best"
        reasons.append(f"{percent(ship.accuracy.value)} accurate, {below}")
    rival = "the only file" if runner_up is None else "the fastest file"
    limited = best is not None or limits.max_latency_us or limits.max_size_bytes or limits.unfit
    return f"Ship {ship.shipped}, {rival}{' within the limits' if limited else ''}: {'; '.join(reasons)}."


def _cautions(result: BenchResult, ship: BenchRow, limits: ShipLimits, best: Accuracy | None) -> list[str]:
    found = []
    latency = ship.latency_us
    if limits.max_latency_us is not None:
        if latency.p50.high > limits.max_latency_us:
            found.append(
                f"The interval of its median reaches {microseconds(latency.p50.high)}, above the limit of "
                f"{microseconds(limits.max_latency_us)}: measure with more rounds before you rely on it."
            )
        elif latency.p99.value > limits.max_latency_us:
            found.append(
                f"The limit holds for its median; one image in a hundred takes {microseconds(latency.p99.value)} "
                "or more."
            )
    if best is None:
        found.append(
            "No accuracy was measured, so only speed and size were compared; give labelled images with --data."
        )
    if result.partial is not None:
        found.append(result.partial)
    return found


def _nothing_fits(
    rows: Sequence[BenchRow], excesses: Mapping[str, Sequence[_Excess]], front: set[str]
) -> Recommendation:
    nearest = min(rows, key=lambda row: sum(excess.amount for excess in excesses[row.name]))
    reasons = {row.name: "; ".join(excess.reason for excess in excesses[row.name]) for row in rows}
    return Recommendation(
        ship=None,
        file=None,
        engine=None,
        sentence=f"No file is within the limits; the nearest is {nearest.name}: {reasons[nearest.name]}.",
        runner_up=None,
        nearest=nearest.name,
        ship_on_front=False,
        others=tuple(Other(row.name, reasons[row.name], fits=False, on_front=row.name in front) for row in rows),
        cautions=(),
    )
