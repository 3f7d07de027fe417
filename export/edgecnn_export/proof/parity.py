"""What became of the trained model: every exported file against Keras, and one set of kernels against another."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import Accuracy, mcnemar
from edgecnn_runtime.manifest import MOST_TOLERANCE

# The usual level of a test.
_SIGNIFICANT = 0.05
_Z_95_ONE_SIDED = 1.6449
# Times the difference between two sets of kernels: that of a third from either may be larger.
_MARGIN = 2.0


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
    # Points of accuracy that the Keras model would expect the file to lose, if its probabilities were right.
    expected_loss: float
    # Whether nobody labelled the images: the labels are the Keras model's own answers, and what is counted above as
    # accuracy is agreement with it.
    labelled_by_model: bool = False

    @property
    def drop(self) -> float:
        """Accuracy lost, in percentage points; negative where the file does better. Without labels: expected so."""
        if self.labelled_by_model:
            return self.expected_loss
        return 100 * (self.accuracy_keras.correct - self.accuracy.correct) / self.accuracy.total

    @property
    def drop_at_most(self) -> float:
        """What `drop` is at most, in points, in 95 of 100 such draws of images; without labels: what is expected.

        The upper end of the one-sided interval of a difference of paired proportions (A. Agresti, Categorical Data
        Analysis, 2nd ed. 2002, section 10.1.1).
        """
        if self.labelled_by_model:
            return self.expected_loss
        net, images = self.lost - self.gained, self.accuracy.total
        return 100 * (net + _Z_95_ONE_SIDED * math.sqrt(self.lost + self.gained - net**2 / images)) / images

    @property
    def p_value(self) -> float:
        """How likely two equally good models would differ so much on these images (McNemar's exact test), 0…1."""
        return mcnemar(self.lost, self.gained)

    @property
    def is_significant(self) -> bool:
        """Whether the difference is more than chance: one image that flipped is no loss."""
        return self.labelled_by_model or self.p_value < _SIGNIFICANT


@dataclass(frozen=True)
class KerasReference:
    """Images, and what the Keras model makes of them: what every file is compared with."""

    images: NDArray[np.uint8]  # (N, height, width, channels)
    labels: NDArray[np.int64]  # class numbers (N,)
    keras: NDArray[np.float32]  # probabilities of the Keras model, (N, classes)
    labelled_by_model: bool = False  # whether the labels are the Keras model's own answers

    def parity(self, probabilities: NDArray[np.float32]) -> Parity:
        """Compare the probabilities of a file with those of Keras.

        Args:
            probabilities: `(N, classes)`, of all images or of the first so many.
        """
        keras, labels = self.keras[: len(probabilities)], self.labels[: len(probabilities)]
        difference = np.abs(probabilities - keras)
        winners, keras_winners = probabilities.argmax(axis=1), keras.argmax(axis=1)
        right, keras_right = winners == labels, keras_winners == labels
        # What the file would lose if the Keras model's probabilities were right. An image that falls to a class that
        # is nearly as likely costs nearly nothing, one that falls to an absurd class one whole image: so flips between
        # near winners, which a thousand classes have many of, are no reason to refuse a file.
        image = np.arange(len(keras))
        lost = keras[image, keras_winners] - keras[image, winners]
        return Parity(
            accuracy=Accuracy(int(np.count_nonzero(right)), len(right)),
            accuracy_keras=Accuracy(int(np.count_nonzero(keras_right)), len(right)),
            agreement=float(np.mean(winners == keras_winners)),
            largest_difference=float(difference.max()),
            mean_difference=float(difference.mean()),
            lost=int(np.count_nonzero(keras_right & ~right)),
            gained=int(np.count_nonzero(right & ~keras_right)),
            expected_loss=100 * float(lost.mean()),
            labelled_by_model=self.labelled_by_model,
        )


def golden_tolerance(
    least: float, probabilities: NDArray[np.float32], others: NDArray[np.float32] | None = None
) -> float:
    """Derive the tolerance from what two sets of kernels on this machine give for the golden images.

    Fifty layers carry what one kernel rounds to its neighbour on to the probabilities: LiteRT's optimized and reference
    kernels differ by 8 steps of 1/256 on MobileNetV2 trained on castings, by less than one on small networks.

    Args:
        least: what the scheme needs on small networks, 0…1.
        probabilities: what the kernels of the runtime give, `(N, classes)`.
        others: what other kernels give, the same; None where there are none to compare with.

    Returns:
        Of a probability, 0…1; at least `least`, at most what tells wrong pixels.
    """
    if others is None:
        return least
    difference = float(np.abs(others - probabilities).max())
    return round(min(max(least, _MARGIN * difference), MOST_TOLERANCE), 4)
