"""Intervals of differences against brute force, published examples and simulations with a fixed seed."""

import itertools
from collections import Counter

import numpy as np
import pytest

from edgecnn_benchmarks.statistics.differences import (
    _critical_rank,
    _rank_sum_counts,
    differ,
    paired_difference,
    ratio,
    tells,
    unpaired_difference,
)
from edgecnn_runtime.accuracy import Accuracy


@pytest.mark.parametrize(("first", "second"), [(1, 1), (3, 2), (4, 4), (5, 3)])
def test_rank_sums_are_counted_as_by_enumeration(first: int, second: int) -> None:
    sums: Counter[int] = Counter()
    for places in itertools.combinations(range(first + second), first):
        sums[sum(places) - first * (first - 1) // 2] += 1
    assert _rank_sum_counts(first, second) == [sums[u] for u in range(first * second + 1)]


@pytest.mark.parametrize(
    ("rounds", "critical"),
    # H. B. Mann and D. R. Whitney's table, two-sided 5 %: U at or below this value is significant.
    [(4, 0), (5, 2), (6, 5), (8, 13), (10, 23), (12, 37), (20, 127)],
)
def test_critical_values_are_those_of_the_table(rounds: int, critical: int) -> None:
    assert _critical_rank(rounds, rounds, 0.025) == critical + 1


def test_ratio_covers_the_truth_and_same_files_are_not_told_apart() -> None:
    random = np.random.default_rng(0)
    covered = told = 0
    for _ in range(400):
        first, second = 100 * random.lognormal(0, 0.05, 12), 120 * random.lognormal(0, 0.05, 15)
        covered += ratio(first.tolist(), second.tolist()).includes(1.2)
        told += differ(first.tolist(), (second / 1.2).tolist())
    assert covered >= 0.93 * 400
    assert told <= 0.025 * 400


def test_a_clear_difference_is_told_from_five_rounds_on() -> None:
    slow, fast = [2.0, 2.1, 2.05, 2.2, 2.1], [1.0, 1.1, 1.05, 1.0, 1.1]
    assert differ(fast, slow)
    assert ratio(fast, slow).low > 1.8
    assert not differ(fast[:4], slow[:4])
    assert not tells(4, 4)
    assert not tells(3, 5)


def test_unpaired_difference_is_newcombes() -> None:
    # R. G. Newcombe, 1998, table II, method 10: 56/70 less 48/80, and 10/10 less 0/20.
    found = unpaired_difference(Accuracy(48, 80), Accuracy(56, 70))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    found = unpaired_difference(Accuracy(0, 20), Accuracy(10, 10))
    assert (round(found.low, 4), round(found.high, 4)) == (0.6791, 1.0)


def test_paired_difference_covers_the_truth() -> None:
    random = np.random.default_rng(1)
    images, gain, loss = 800, 0.01, 0.03
    covered = 0
    for gained, lost, _ in random.multinomial(images, [gain, loss, 1 - gain - loss], 400):
        covered += paired_difference(gained=int(gained), lost=int(lost), images=images).includes(gain - loss)
    assert covered >= 0.93 * 400
    assert paired_difference(gained=0, lost=0, images=100).includes(0)
    assert paired_difference(gained=3, lost=13, images=1000).value == pytest.approx(-0.01)
