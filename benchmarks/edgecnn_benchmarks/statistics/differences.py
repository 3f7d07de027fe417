"""How two measurements differ, and whether chance alone would make such a difference.

The two were taken at different times or on different machines, so nothing pairs the rounds of the one with those of
the other; the images of an accuracy are paired where it is known which of them each file got right.
"""

import math
from collections.abc import Sequence
from functools import cache

from edgecnn_benchmarks.statistics.intervals import Estimate
from edgecnn_runtime.accuracy import Z_95, Accuracy


def ratio(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return how many times as large `second` is as `first`, with the 95 % interval.

    The median of all ratios of one of the second to one of the first, and its interval by inverting the rank sum test
    (J. L. Hodges and E. L. Lehmann, Ann. Math. Stat. 34, 1963, 598-611, on logarithms): right for any distribution of
    the rounds. With too few of them (see `tells`) it is the range of the ratios, which covers less.

    Args:
        first: one figure above 0 per round, such as its median latency.
        second: the same of the other measurement; the number of rounds may differ.

    >>> ratio([10, 11, 10, 12, 10, 11], [20, 22, 20, 21, 20, 22])
    Estimate(value=2.0, low=1.8181818181818181, high=2.2)
    """
    ratios = sorted(own / theirs for own in second for theirs in first)
    low, high = _interval(ratios, _critical_rank(len(first), len(second), 0.025))
    middle = len(ratios) // 2
    value = ratios[middle] if len(ratios) % 2 else math.sqrt(ratios[middle - 1] * ratios[middle])
    return Estimate(value, low, high)


def differ(first: Sequence[float], second: Sequence[float]) -> bool:
    """Return whether their ratio differs from 1 beyond doubt: its 99 % interval leaves 1 out.

    95 % would find a difference in one of twenty comparisons of a file with itself.
    """
    rank = _critical_rank(len(first), len(second), 0.005)
    low, high = _interval(sorted(own / theirs for own in second for theirs in first), rank)
    return rank > 0 and not low <= 1.0 <= high


def tells(first: int, second: int) -> bool:
    """Return whether so many rounds of the one and of the other can show a difference at all (see `differ`).

    >>> tells(4, 4), tells(5, 5)
    (False, True)
    """
    return _critical_rank(first, second, 0.005) > 0


def _interval(ratios: Sequence[float], rank: int) -> tuple[float, float]:
    return ratios[max(0, rank - 1)], ratios[-max(1, rank)]


@cache
def _critical_rank(first: int, second: int, tail: float) -> int:
    """Return how many of the ordered ratios lie outside the interval at each end, plus one; 0 where none may.

    From the exact distribution of the rank sum statistic U: the largest c with P(U < c) <= `tail`.
    """
    counts = _rank_sum_counts(first, second)
    most, below = sum(counts) * tail, 0
    for statistic, count in enumerate(counts):
        below += count
        if below > most:
            return statistic
    return len(counts)


def _rank_sum_counts(first: int, second: int) -> list[int]:
    """Count the orders of `first` + `second` values for each value of U: a Gaussian binomial coefficient.

    >>> _rank_sum_counts(2, 2)
    [1, 1, 2, 1, 1]
    """
    counts = [1] + [0] * (first * second)
    for k in range(1, first + 1):
        for index in range(len(counts) - 1, second + k - 1, -1):  # times 1 - q^(second + k)
            counts[index] -= counts[index - second - k]
        for index in range(k, len(counts)):  # divided by 1 - q^k
            counts[index] += counts[index - k]
    return counts


def paired_difference(*, gained: int, lost: int, images: int) -> Estimate:
    """Return by how much the second is more accurate than the first on the same images, -1…1, with the 95 % interval.

    D. G. Bonett and R. M. Price, British J. Math. Stat. Psych. 65, 2012, 479-488: Wald's interval after one
    image was added to each kind of change.

    Args:
        gained: images that only the second gets right.
        lost: images that only the first gets right.
        images: all of them.
    """
    only_second, only_first = (gained + 1) / (images + 2), (lost + 1) / (images + 2)
    centre = only_second - only_first
    half = Z_95 * math.sqrt(max(0.0, only_second + only_first - centre**2) / (images + 2))
    return Estimate((gained - lost) / images, max(-1.0, centre - half), min(1.0, centre + half))


def unpaired_difference(first: Accuracy, second: Accuracy) -> Estimate:
    """Return by how much the second is more accurate than the first, -1…1, with the 95 % interval.

    From the two Wilson intervals (R. G. Newcombe, Statistics in Medicine 17, 1998, 873-890, method 10), for different
    images, or where it is not known which of the same images each gets right; wide then, and on the safe side.

    >>> found = unpaired_difference(Accuracy(48, 80), Accuracy(56, 70))
    >>> round(found.low, 4), round(found.high, 4)
    (0.0524, 0.3339)
    """
    (low, high), (other_low, other_high) = first.interval, second.interval
    difference = second.value - first.value
    down = math.hypot(second.value - other_low, high - first.value)
    up = math.hypot(other_high - second.value, first.value - low)
    return Estimate(difference, difference - down, difference + up)
