"""Which number of threads serves each model best: one benchmark a number, compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgecnn_benchmarks.intervals import Estimate
from edgecnn_benchmarks.quantities import three_digits
from edgecnn_benchmarks.result import BenchResult
from edgecnn_runtime.errors import InputError


@dataclass(frozen=True)
class ThreadChoice:
    """What one model file does with each number of threads."""

    name: str
    p50_us: Mapping[int, Estimate]  # by the number of threads

    @property
    def best(self) -> int:
        """The number with the lowest median latency; the smallest of those that cannot be told from it."""
        fastest = min(self.p50_us.values(), key=lambda estimate: estimate.value)
        return min(threads for threads, estimate in self.p50_us.items() if estimate.low <= fastest.high)


def read_thread_counts(text: str) -> tuple[int, ...]:
    """Read "1,2,4".

    Raises:
        InputError: no numbers, or one below 1.

    >>> read_thread_counts("1,2,2")
    (1, 2)
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 5 and int(part) > 0 for part in parts):
        raise InputError(f"--threads: a number, or several as in 1,2,4, each at least 1, expected, got {text!r}")
    return tuple(dict.fromkeys(int(part) for part in parts))


def choose_threads(results: Mapping[int, BenchResult]) -> tuple[ThreadChoice, ...]:
    """Compare benchmarks of the same files; a file that failed in one of them is left out."""
    names = [row.name for row in next(iter(results.values())).rows]
    latencies = {
        name: {
            threads: row.latency_us.p50
            for threads, result in results.items()
            for row in result.rows
            if row.name == name
        }
        for name in names
    }
    return tuple(ThreadChoice(name, p50) for name, p50 in latencies.items() if len(p50) == len(results))


def thread_table(choices: Sequence[ThreadChoice]) -> tuple[list[str], list[list[str]]]:
    """Return the column heads and the rows of a table for people."""
    counts = list(choices[0].p50_us) if choices else []
    heads = ["file", *(f"{count} thread{'s' if count > 1 else ''}, p50 µs" for count in counts), "best"]
    rows = [
        [choice.name, *(_shown(choice.p50_us[count]) for count in counts), f"--threads {choice.best}"]
        for choice in choices
    ]
    return heads, rows


def _shown(estimate: Estimate) -> str:
    return f"{three_digits(estimate.value)} ±{100 * estimate.half_width:.0f} %"
