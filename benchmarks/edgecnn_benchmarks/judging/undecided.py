"""Pairs of rows whose latencies the measurements cannot tell apart, said in plain sentences."""

from collections.abc import Sequence
from itertools import combinations

from edgecnn_benchmarks.measuring.result import BenchRow, Undecided
from edgecnn_benchmarks.measuring.rounds import speedup, speedups
from edgecnn_benchmarks.statistics.intervals import tells_apart
from edgecnn_benchmarks.statistics.quantities import span, times

# An interval of a ratio that is wider than this share on each side says more about the machine than about the files.
_NOISY = 0.02
# With more pairs than these, one sentence names them all; of nine files there are 36.
_PAIRS = 3
_NOISE = "this machine was too noisy, measure again when it is idle or with a larger --max-secs"


def find_undecided(rows: Sequence[BenchRow]) -> tuple[Undecided, ...]:
    """Look at every two files, at the first number of threads and the first batch."""
    shipped = [row for row in rows if row.name == row.file]
    return tuple(
        _undecided(first, second)
        for first, second in combinations(shipped, 2)
        if not tells_apart(speedups(first.rounds, second.rounds))
    )


def _undecided(first: BenchRow, second: BenchRow) -> Undecided:
    ratio = speedup(first.rounds, second.rounds)
    sentence = (
        f"{first.name} and {second.name} cannot be told apart by speed: the one is {times(ratio.value)} "
        f"({span(ratio)}) as fast as the other in {len(first.rounds)} rounds"
    )
    if ratio.half_width > _NOISY:
        sentence += f"; {_NOISE}"
    return Undecided(first.name, second.name, ratio, sentence + ".")


def sentences(pairs: Sequence[Undecided]) -> list[str]:
    """Say which files cannot be told apart: of a few pairs each with its ratio, of many all in one sentence.

    >>> from edgecnn_benchmarks.statistics.intervals import Estimate
    >>> alike = [Undecided("a", second, Estimate(1, 1, 1), "") for second in "bcd"]
    >>> sentences([*alike, Undecided("b", "c", Estimate(1, 1, 1), "")])
    ['4 pairs of files cannot be told apart by speed: a from b, c and d; b from c.']
    """
    if len(pairs) <= _PAIRS:
        return [pair.sentence for pair in pairs]
    others: dict[str, list[str]] = {}
    for pair in pairs:
        others.setdefault(pair.first, []).append(pair.second)
    named = "; ".join(f"{first} from {_listed(names)}" for first, names in others.items())
    sentence = f"{len(pairs)} pairs of files cannot be told apart by speed: {named}"
    if noisy := sum(pair.ratio.half_width > _NOISY for pair in pairs):
        sentence += f"; in {noisy} of them {_NOISE}"
    return [sentence + "."]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
