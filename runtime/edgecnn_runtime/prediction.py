"""What a classifier says about one image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Prediction:
    """What a classifier says about one image."""

    label: str
    probability: float
    probabilities: NDArray[np.float32]  # (classes,)
    labels: tuple[str, ...]

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], labels: tuple[str, ...]) -> "Prediction":
        """Name the most probable class of one row; between equal winners the first.

        >>> Prediction.of(np.array([0.1, 0.9], np.float32), ("crack", "whole")).label
        'whole'
        """
        winner = int(probabilities.argmax())
        return cls(labels[winner], float(probabilities[winner]), probabilities, labels)

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels with their probabilities, best first."""
        order = np.argsort(-self.probabilities, kind="stable")[:k]
        return [(self.labels[index], float(self.probabilities[index])) for index in order]
