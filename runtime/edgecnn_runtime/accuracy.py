"""How often a classifier is right, and how sure one can be of that figure."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The 97.5 % quantile of the standard normal distribution: two-sided 95 % intervals.
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Accuracy:
    """Top-1 accuracy as a count, so that its interval is known.

    >>> measured = Accuracy(correct=978, total=1000)
    >>> measured.value
    0.978
    >>> [round(bound, 4) for bound in measured.interval]
    [0.9669, 0.9854]
    """

    correct: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.total or self.total == 0:
            raise ValueError(
                f"accuracy: expected 0 <= correct <= total and total > 0, got {self.correct} of {self.total}"
            )

    @property
    def value(self) -> float:
        """The share of images whose most probable class is the labelled one, 0…1."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson score interval, 0…1 (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927, 209-212)."""
        n, p, z2 = self.total, self.value, Z_95**2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def to_document(self) -> dict[str, float]:
        """Return its form in metrics.json, export.json and bench.json.

        `read_dataclass` reads it again; the manifest in a model file holds `correct` and `total` alone.

        >>> sorted(Accuracy(correct=978, total=1000).to_document())
        ['correct', 'high', 'low', 'total', 'value']
        """
        low, high = self.interval
        return {"value": self.value, "low": low, "high": high, "correct": self.correct, "total": self.total}


def top1_accuracy(probabilities: "NDArray[np.float32]", labels: "NDArray[np.int64]") -> Accuracy:
    """Count how often the most probable class is the labelled one.

    Args:
        probabilities: `(N, classes)`; between equal winners the lower class is taken, as the runtime does.
        labels: `(N,)`, class numbers.
    """
    return Accuracy(int((probabilities.argmax(axis=1) == labels).sum()), len(labels))


def mcnemar(only_first: int, only_second: int) -> float:
    """Tell how likely it is that two models that are equally good differ so much on the same images, or more.

    The exact, two-sided form of Q. McNemar's test (Psychometrika 12, 1947, 153-157): of the images that one of the
    two alone gets right, each is as likely to fall to the one as to the other.

    Args:
        only_first: how many images the first model alone gets right.
        only_second: how many the second alone gets right.

    Returns:
        The p-value, 0…1; 1 where no image tells the two apart.

    >>> mcnemar(1, 0), round(mcnemar(12, 2), 4)
    (1.0, 0.0129)
    """
    flips = only_first + only_second
    if not flips:
        return 1.0
    # In whole numbers, each binomial coefficient from the one before: floats end at some thousand images.
    coefficient = tail = 1
    for count in range(min(only_first, only_second)):
        coefficient = coefficient * (flips - count) // (count + 1)
        tail += coefficient
    return min(1.0, tail / (1 << flips - 1))
