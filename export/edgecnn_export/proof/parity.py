"""What became of the trained model: every exported file against Keras, through the runtime."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import Accuracy, mcnemar, top1_accuracy, top1_agreement

# The usual level of a test.
_SIGNIFICANT = 0.05
_Z_95_ONE_SIDED = 1.6449


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


def compare(
    probabilities: NDArray[np.float32],
    *,
    keras: NDArray[np.float32],
    labels: NDArray[np.int64],
    labelled_by_model: bool = False,
) -> Parity:
    """Compare the probabilities of a file with those of Keras.

    Args:
        probabilities: of the file, `(N, classes)`.
        keras: of the Keras model, the same.
        labels: class numbers `(N,)`.
        labelled_by_model: whether these are the Keras model's own answers.
    """
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
        expected_loss=_expected_loss(probabilities, keras),
        labelled_by_model=labelled_by_model,
    )


def _expected_loss(probabilities: NDArray[np.float32], keras: NDArray[np.float32]) -> float:
    """Tell how many points of accuracy the file would lose if the Keras model's probabilities were right.

    An image that falls to a class that is nearly as likely costs nearly nothing, one that falls to an absurd class one
    whole image: so flips between near winners, which a thousand classes have many of, are no reason to refuse a file.
    """
    image = np.arange(len(keras))
    lost = keras[image, keras.argmax(axis=1)] - keras[image, probabilities.argmax(axis=1)]
    return 100 * float(lost.mean())
