import math

import numpy as np
import pytest
from scipy import stats

from edgecnn_benchmarks.statistics.intervals import (
    MIN_ROUNDS_FOR_95,
    Estimate,
    interval_in_words,
    interval_name,
    median_estimate,
    tells_apart,
)


# From the table of nonparametric intervals of the median (Conover, Practical Nonparametric Statistics, table A3):
# rounds, the ranks of the ends counted from 1.
@pytest.mark.parametrize(
    ("count", "low", "high"), [(6, 1, 6), (9, 2, 8), (10, 2, 9), (12, 3, 10), (15, 4, 12), (20, 6, 15), (30, 10, 21)]
)
def test_interval_of_the_median_lies_between_the_tabulated_ranks(count: int, low: int, high: int) -> None:
    estimate = median_estimate(range(count, 0, -1))
    assert estimate == Estimate((count + 1) / 2, low, high)


@pytest.mark.parametrize("count", [*range(MIN_ROUNDS_FOR_95, 60), 1029, 1100, 2000])
def test_interval_is_the_shortest_that_covers_95_percent(count: int) -> None:
    low = int(median_estimate(range(1, count + 1)).low)

    def coverage(rank: int) -> float:
        return 1 - 2 * sum(math.comb(count, k) for k in range(rank)) / 2**count

    assert coverage(low) >= 0.95 > coverage(low + 1)


@pytest.mark.parametrize("count", range(1, MIN_ROUNDS_FOR_95))
def test_few_rounds_give_their_range(count: int) -> None:
    estimate = median_estimate(range(1, count + 1))
    assert (estimate.low, estimate.high) == (1, count)


def test_half_width_and_inclusion() -> None:
    estimate = Estimate(2.0, 1.0, 3.0)
    assert estimate.half_width == 0.5
    assert [estimate.includes(value) for value in (0.9, 1.0, 3.0, 3.1)] == [False, True, True, False]


def test_a_median_lies_between_the_middle_two() -> None:
    assert median_estimate([4, 1, 3, 2]) == Estimate(2.5, 1, 4)
    assert median_estimate([7]) == Estimate(7, 7, 7)


def test_an_interval_of_few_rounds_is_called_their_range() -> None:
    assert [interval_name(count) for count in (5, 6)] == ["range", "95 %"]
    assert [interval_in_words(count) for count in (5, 6)] == ["range of the rounds", "95 % interval"]


def test_a_single_round_tells_apart_what_is_not_equal() -> None:
    assert [tells_apart([ratio]) for ratio in (0.99, 1.0, 1.01)] == [True, False, True]


@pytest.mark.parametrize("rounds", range(2, 8))
@pytest.mark.parametrize("sign", [1, -1])
def test_few_rounds_are_told_apart_by_students_t(rounds: int, sign: int) -> None:
    """The mean of the logarithms just beyond the 99 % bound, and just within; scipy knows where that is."""
    scatter = np.random.default_rng(rounds).normal(0, 0.1, rounds)
    bound = stats.t.ppf(0.995, rounds - 1) * scatter.std(ddof=1) / math.sqrt(rounds)
    beyond, within = (np.exp(scatter - scatter.mean() + sign * share * bound).tolist() for share in (1.001, 0.999))
    assert stats.ttest_1samp(np.log(beyond), 0).pvalue < 0.01 < stats.ttest_1samp(np.log(within), 0).pvalue
    assert tells_apart(beyond)
    assert not tells_apart(within)


@pytest.mark.parametrize("rounds", [8, 9, 11, 12, 20, 60])
def test_many_rounds_are_told_apart_by_the_sign_test(rounds: int) -> None:
    for slower in range(rounds + 1):
        ratios = [0.9] * slower + [1.1] * (rounds - slower)
        assert tells_apart(ratios) == (stats.binomtest(slower, rounds).pvalue <= 0.01)
    # One that is equal in too many rounds is not told apart from its reference.
    assert not tells_apart([1.0] * (rounds // 2) + [1.1] * (rounds - rounds // 2))
