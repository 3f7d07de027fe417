"""From the figures of several rounds to one figure with its interval."""

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# With fewer rounds not even the range from the smallest to the largest covers the median in 95 % of cases.
MIN_ROUNDS_FOR_95 = 6


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, all three in the same unit."""

    value: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval as a share of the value."""
        return (self.high - self.low) / 2 / self.value

    def includes(self, value: float) -> bool:
        """Whether the interval holds `value`."""
        return self.low <= value <= self.high


def median_estimate(values: Sequence[float]) -> Estimate:
    """Return the median of independent rounds with its distribution-free 95 % interval.

    The interval lies between two order statistics, chosen by the binomial distribution (H. A. David and
    H. N. Nagaraja, Order Statistics, 3rd ed., 7.1). It covers the median with at least 95 % for every
    distribution with independent rounds; bootstrapping a median approximates the same interval and, with ten
    to twenty rounds, covers only 89 to 96 %. Fewer than `MIN_ROUNDS_FOR_95` values give their range, which
    covers less.

    Args:
        values: one figure per round, at least one, in any order.

    >>> median_estimate([5, 1, 4, 2, 3, 6, 9, 8, 7])
    Estimate(value=5.0, low=2.0, high=8.0)
    """
    ordered = sorted(float(value) for value in values)
    rank = _lower_rank(len(ordered), 0.025) or 0
    return Estimate(value=_median(ordered), low=ordered[rank], high=ordered[-1 - rank])


def interval_name(rounds: int) -> str:
    """Return what the interval of so many rounds is to be called: no range is passed off for an interval.

    >>> interval_name(6), interval_name(3)
    ('95 %', 'range')
    """
    return "95 %" if rounds >= MIN_ROUNDS_FOR_95 else "range"


def interval_in_words(count: int, *, of: str = "rounds") -> str:
    """Return the same for a heading, where `of` says what was counted.

    >>> interval_in_words(6), interval_in_words(3, of="starts")
    ('95 % interval', 'range of the starts')
    """
    return "95 % interval" if count >= MIN_ROUNDS_FOR_95 else f"range of the {of}"


# How sure one must be before two rows are said to differ; 95 % would be wrong in one A/A comparison of twenty.
_SURE = 0.99
_MIN_ROUNDS_FOR_99 = 8
# The 99.5 % quantiles of Student's t with 1 to 6 degrees of freedom.
_STUDENT_99 = (63.657, 9.925, 5.841, 4.604, 4.032, 3.707)


def tells_apart(ratios: Sequence[float]) -> bool:
    """Whether the ratios of two rows, one per round, differ from 1 beyond doubt: the 99 % interval leaves 1 out.

    Fewer than `_MIN_ROUNDS_FOR_99` rounds have no such interval without an assumption; then it is Student's of the
    logarithms. A single round has none at all, and tells apart what is not equal.

    Args:
        ratios: one per round.

    >>> tells_apart([1.02] * 8), tells_apart([1.02] * 8 + [0.99] * 3)
    (True, False)
    >>> tells_apart([3.0, 3.1, 3.2]), tells_apart([1.0, 1.1, 1.2])
    (True, False)
    """
    ordered = sorted(ratios)
    if len(ordered) >= _MIN_ROUNDS_FOR_99:
        rank = _lower_rank(len(ordered), (1 - _SURE) / 2) or 0
        return not ordered[rank] <= 1.0 <= ordered[-1 - rank]
    if len(ordered) == 1:
        return ordered[0] != 1.0
    logarithms = [math.log(ratio) for ratio in ordered]
    half = _STUDENT_99[len(ordered) - 2] * statistics.stdev(logarithms) / math.sqrt(len(ordered))
    return abs(statistics.fmean(logarithms)) > half


def _median(ordered: list[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


@functools.lru_cache(maxsize=256)
def _lower_rank(count: int, most: float) -> int | None:
    """Return how many of `count` ordered values lie below the interval: as many as leave `most` on each side.

    None where already the smallest value leaves more.
    """
    # Whole numbers: 1,100 rounds have binomial coefficients beyond the largest float.
    rank, coefficient, tail = 0, 1, 1
    while tail / 2**count <= most:
        coefficient = coefficient * (count - rank) // (rank + 1)
        tail += coefficient
        rank += 1
    return rank - 1 if rank else None
