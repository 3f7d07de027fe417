import math

import pytest

from edgecnn_benchmarks.statistics.intervals import MIN_ROUNDS_FOR_95, Estimate, median_estimate


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
