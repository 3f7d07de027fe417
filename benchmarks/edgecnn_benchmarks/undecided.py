"""Pairs of rows whose latencies the measurements cannot tell apart, said in plain sentences."""

from collections.abc import Sequence
from itertools import combinations

from edgecnn_benchmarks.intervals import tells_apart
from edgecnn_benchmarks.quantities import span, times
from edgecnn_benchmarks.result import Row, Undecided
from edgecnn_benchmarks.rounds import speedup, speedups

# An interval of a ratio that is wider than this share on each side says more about the machine than about the files.
_NOISY = 0.02


def find_undecided(rows: Sequence[Row]) -> tuple[Undecided, ...]:
    """Look at every two files, at the first number of threads and the first batch."""
    shipped = [row for row in rows if row.name == row.file]
    return tuple(
        _undecided(first, second)
        for first, second in combinations(shipped, 2)
        if not tells_apart(speedups(first.rounds, second.rounds))
    )


def _undecided(first: Row, second: Row) -> Undecided:
    ratio = speedup(first.rounds, second.rounds)
    sentence = (
        f"{first.name} and {second.name} cannot be told apart by speed: the one is {times(ratio.value)} "
        f"({span(ratio)}) as fast as the other in {len(first.rounds)} rounds"
    )
    if ratio.half_width > _NOISY:
        sentence += "; this machine was too noisy, measure again when it is idle or with a larger --max-secs"
    return Undecided(first.name, second.name, ratio, sentence + ".")
