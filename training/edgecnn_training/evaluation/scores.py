"""The scores of a finished run on images it has never seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import Accuracy, top1_accuracy

# Keras clips probabilities there before it takes the logarithm (`keras.config.epsilon()`).
_SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class ClassScores:
    """The scores of one class."""

    label: str
    precision: float  # 0…1; 0 where the class was never predicted
    recall: float
    f1: float
    support: int  # images of this class

    @property
    def found(self) -> Accuracy | None:
        """The recall as a count, with its interval; None without images."""
        return Accuracy(round(self.recall * self.support), self.support) if self.support else None

    def document(self) -> dict[str, Any]:
        """Return the scores as `metrics.json` holds them."""
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1, "support": self.support}
        if self.found is None:
            return scores
        low, high = self.found.interval
        return {**scores, "recall_low": low, "recall_high": high}


@dataclass(frozen=True)
class Evaluation:
    """The scores of a classifier on one split."""

    accuracy: Accuracy
    balanced_accuracy: float  # 0…1: the mean recall of the classes that have images
    loss: float  # cross-entropy, nats
    per_class: tuple[ClassScores, ...]
    macro_f1: float  # the mean over the classes
    weighted_f1: float  # the same, weighted by support
    confusion: NDArray[np.int64]  # (classes, classes): images of class [row] that were taken for class [column]
    report: str  # scikit-learn's table of all this
    without_copies: "Evaluation | None" = None  # the scores without the images that are also in the training images

    def document(self) -> dict[str, Any]:
        """Return the scores as `metrics.json` holds them."""
        clean = self.without_copies
        return {
            "images": self.accuracy.total,
            "accuracy": self.accuracy.to_document(),
            "balanced_accuracy": self.balanced_accuracy,
            "loss": self.loss,
            "macro_f1": self.macro_f1,
            "weighted_f1": self.weighted_f1,
            "per_class": {scores.label: scores.document() for scores in self.per_class},
            **({} if clean is None else {"without_copies": clean.document()}),
        }


def evaluate(
    probabilities: NDArray[np.float32],
    numbers: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    copies: Sequence[int] = (),
) -> Evaluation:
    """Score the probabilities a classifier gave.

    Args:
        probabilities: `(N, classes)`, 0…1.
        numbers: `(N,)`, the true class numbers.
        labels: the names of the classes.
        copies: positions of images that are also in the training images; not all of them.
    """
    # It takes longer to load than a small training takes to begin.
    from sklearn.metrics import classification_report, confusion_matrix, precision_recall_fscore_support

    classes = range(len(labels))
    predicted = probabilities.argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        numbers, predicted, labels=classes, zero_division=0
    )
    return Evaluation(
        accuracy=top1_accuracy(probabilities, numbers),
        balanced_accuracy=float(recall[support > 0].mean()),
        loss=cross_entropy(probabilities, numbers),
        per_class=tuple(
            ClassScores(label, float(precision[index]), float(recall[index]), float(f1[index]), int(support[index]))
            for index, label in enumerate(labels)
        ),
        macro_f1=float(f1.mean()),
        weighted_f1=float(np.average(f1, weights=support)),
        confusion=confusion_matrix(numbers, predicted, labels=classes),
        report=classification_report(
            numbers, predicted, labels=classes, target_names=labels, digits=4, zero_division=0
        ),
        without_copies=_without(copies, probabilities, numbers, labels),
    )


def _without(
    copies: Sequence[int], probabilities: NDArray[np.float32], numbers: NDArray[np.int64], labels: tuple[str, ...]
) -> Evaluation | None:
    if not 0 < len(copies) < len(numbers):
        return None
    places = np.asarray(copies)
    return evaluate(np.delete(probabilities, places, axis=0), np.delete(numbers, places), labels)


def cross_entropy(probabilities: NDArray[np.float32], numbers: NDArray[np.int64]) -> float:
    """Return the mean of -log(probability of the true class), in nats.

    >>> cross_entropy(np.array([[0.5, 0.5], [0.5, 0.5]], np.float32), np.array([0, 1])) == np.log(2)
    np.True_
    """
    true = probabilities[np.arange(len(numbers)), numbers].astype(np.float64)
    return float(-np.log(np.clip(true, _SMALLEST_PROBABILITY, 1)).mean())
