"""Compare ways of doing the same thing in one run: rounds in random order, ratios taken round by round."""

import random
from collections.abc import Callable, Mapping

from edgecnn_benchmarks.statistics.intervals import Estimate, median_estimate


def interleave(ways: Mapping[str, Callable[[], float]], *, rounds: int, seed: int = 0) -> dict[str, list[float]]:
    """Run every way once a round, in an order drawn anew each time, so that a slow moment hits all alike.

    Args:
        ways: by name, a function that does the work once and returns its figure.
        rounds: how many; one more goes before and is not counted.
        seed: of the order.

    Returns:
        The figures of each way, one a round.
    """
    order = random.Random(seed)
    figures: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in order.sample(list(ways), len(ways)):
            figure = ways[name]()
            if number:
                figures[name].append(figure)
    return figures


def ratio(numerator: list[float], denominator: list[float]) -> Estimate:
    """Return the median of the round-by-round ratios with its 95 % interval."""
    return median_estimate([above / below for above, below in zip(numerator, denominator, strict=True)])
