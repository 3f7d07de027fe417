"""Which number of threads serves each model best, from the rows of a sweep."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.measuring.result import BenchRow
from edgecnn_benchmarks.measuring.timing import speedup, speedups
from edgecnn_benchmarks.statistics.intervals import Estimate, tells_apart
from edgecnn_benchmarks.statistics.quantities import span, times
from edgecnn_runtime.errors import InputError


@dataclass(frozen=True)
class ThreadChoice:
    """The best number of threads of one model file, and what it gains over the first number that was measured."""

    candidate: str
    best: int
    first: int
    gain: Estimate

    @property
    def sentence(self) -> str:
        """Say it."""
        if self.best == self.first:
            return f"{self.candidate}: --threads {self.best} serves it best."
        return (
            f"{self.candidate}: --threads {self.best} serves it best, {times(self.gain.value)} ({span(self.gain)}) "
            f"as fast as --threads {self.first}."
        )


def read_counts(option: str, text: str) -> tuple[int, ...]:
    """Read "1,2,4".

    Raises:
        InputError: no numbers, or one below 1.

    >>> read_counts("threads", "1,2,2")
    (1, 2)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 5 and int(part) > 0 for part in parts):
        raise InputError(f"--{option}: expected a number, or several as in 1,2,4, each at least 1, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def choose_threads(rows: Sequence[BenchRow]) -> tuple[ThreadChoice, ...]:
    """Choose for each file the fastest number of threads, or the smallest that cannot be told from it.

    Args:
        rows: of one batch; a file with one number of threads is left out.
    """
    sweeps = {row.candidate: [other for other in rows if other.candidate == row.candidate] for row in rows}
    return tuple(_choose(sweep) for sweep in sweeps.values() if len(sweep) > 1)


def _choose(sweep: Sequence[BenchRow]) -> ThreadChoice:
    fastest = min(sweep, key=lambda row: row.latency_us.p50.value)
    as_fast = [row for row in sweep if row is fastest or not tells_apart(speedups(row.rounds, fastest.rounds))]
    best = min(as_fast, key=lambda row: row.threads)
    first = next(row for row in sweep if row.name == row.candidate)
    return ThreadChoice(best.candidate, best.threads, first.threads, speedup(best.rounds, first.rounds))
