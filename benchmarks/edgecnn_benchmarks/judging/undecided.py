"""Pairs of rows whose latencies the measurements cannot tell apart."""

from collections.abc import Sequence
from itertools import combinations

from edgecnn_benchmarks.measuring.result import NOISE, NOISY, BenchRow, Undecided
from edgecnn_benchmarks.measuring.timing import speedup, speedups
from edgecnn_benchmarks.statistics.intervals import tells_apart
from edgecnn_benchmarks.statistics.quantities import span, times


def find_undecided(rows: Sequence[BenchRow]) -> tuple[Undecided, ...]:
    """Look at every two candidates, at the first number of threads and the first batch."""
    shipped = [row for row in rows if row.name == row.candidate]
    return tuple(
        _undecided(first, second)
        for first, second in combinations(shipped, 2)
        if not tells_apart(speedups(first.rounds, second.rounds))
    )


def _undecided(first: BenchRow, second: BenchRow) -> Undecided:
    ratio = speedup(first.rounds, second.rounds)
    noise = f"; {NOISE}" if ratio.half_width > NOISY else ""
    sentence = (
        f"{first.name} and {second.name} cannot be told apart by speed: in {len(first.rounds)} rounds the first is "
        f"{times(ratio.value)} ({span(ratio)}) as fast as the second{noise}."
    )
    return Undecided(first.name, second.name, ratio, sentence)
