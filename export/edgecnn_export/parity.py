"""What became of the trained model: every exported file against Keras, through the runtime."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import Accuracy, mcnemar, top1_accuracy, top1_agreement


@dataclass(frozen=True)
class Parity:
    """How one file compares with the Keras model on the test split."""

    accuracy: Accuracy
    accuracy_keras: Accuracy
    agreement: float  # share of images, 0…1, with the same top-1 class
    largest_difference: float  # of any probability, 0…1
    mean_difference: float
    lost: int  # images that Keras alone gets right
    gained: int  # images that the file alone gets right

    @property
    def drop(self) -> float:
        """Accuracy lost, in percentage points; negative where the file does better."""
        return 100 * (self.accuracy_keras.value - self.accuracy.value)

    @property
    def p_value(self) -> float:
        """How likely two equally good models would differ so much on these images (McNemar's exact test), 0…1."""
        return mcnemar(self.lost, self.gained)


def compare(probabilities: NDArray[np.float32], *, keras: NDArray[np.float32], labels: NDArray[np.int64]) -> Parity:
    """Compare the probabilities of a file with those of Keras, both `(N, classes)`; `labels` is `(N,)`."""
    difference = np.abs(probabilities - keras)
    right, right_keras = probabilities.argmax(axis=1) == labels, keras.argmax(axis=1) == labels
    return Parity(
        accuracy=top1_accuracy(probabilities, labels),
        accuracy_keras=top1_accuracy(keras, labels),
        agreement=top1_agreement(probabilities, keras),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        lost=int(np.count_nonzero(right_keras & ~right)),
        gained=int(np.count_nonzero(right & ~right_keras)),
    )
