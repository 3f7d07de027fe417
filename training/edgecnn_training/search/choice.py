"""What the images say of the candidates that were trained to the end: which is best, which are not told from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_runtime.accuracy import Accuracy, mcnemar

# Above this a difference in which images are right is one of chance.
_SIGNIFICANT = 0.05
RIGHT, WRONG, NOT_ASKED = "1", "0", "-"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What the folds said of a candidate in a rung, and what its int8 file costs."""

    name: str
    rung: int
    epochs: int
    accuracy: Accuracy  # of the images, each by a network that was not trained on it
    balanced_accuracy: float  # 0…1
    loss: float  # cross-entropy, nats
    seconds: float
    # A letter for each image that may be trained on, whether it was right; "-" of those that no fold kept back.
    right: str

    @property
    def merit(self) -> tuple[float, float]:
        """What candidates of a rung are ordered by: balanced accuracy; of equal ones, certainty."""
        return round(self.balanced_accuracy, 4), -self.loss


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What an int8 file takes."""

    latency_us: float  # of one image, the median
    size_bytes: int


@dataclass(frozen=True)
class Choice:
    """The candidate that is taken, by its number, and what else may be as good."""

    taken: int
    best: int  # the most accurate one
    not_told_apart: tuple[int, ...]  # from the most accurate one, by these images


def choose(scored: Sequence[Scored], costs: Sequence[Cost]) -> Choice:
    """Choose among candidates on the same images.

    Taken is the fastest, then the smallest, of those that are as accurate as the best, or whose difference from it is
    within one standard error (L. Breiman et al., Classification and Regression Trees, 1984, section 3.4.3; here of the
    paired difference). McNemar's test alone would let a handful of images excuse a much worse network.

    Args:
        scored: at least one.
        costs: of each.
    """
    best = max(range(len(scored)), key=lambda number: scored[number].merit)
    pairs = [discordant(scored[best], other) for other in scored]
    near = [
        number
        for number, (lost, gained) in enumerate(pairs)
        if lost - gained <= 0 or (lost - gained) ** 2 <= lost + gained
    ]
    taken = min(near, key=lambda number: (costs[number].latency_us, costs[number].size_bytes, number != best))
    alike = tuple(number for number, pair in enumerate(pairs) if number != best and mcnemar(*pair) >= _SIGNIFICANT)
    return Choice(taken, best, alike)


def discordant(first: Scored, second: Scored) -> tuple[int, int]:
    """Count the images that only the first gets right, and those that only the second does."""
    pairs = list(zip(first.right, second.right, strict=True))
    return pairs.count((RIGHT, WRONG)), pairs.count((WRONG, RIGHT))


def pareto_front(points: Sequence[tuple[float, ...]]) -> list[int]:
    """Return the numbers of the points that no other beats: nowhere larger, and smaller somewhere.

    >>> pareto_front([(1.0, 0.2), (2.0, 0.1), (2.0, 0.3)])
    [0, 1]
    """
    return [
        number
        for number, point in enumerate(points)
        if not any(
            other != point and all(theirs <= mine for theirs, mine in zip(other, point, strict=True))
            for other in points
        )
    ]
