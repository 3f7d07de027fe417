"""What a file answers to the labelled images, beside what the reference answers to the same ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.accuracy import mcnemar

# Flipped images that are listed per file; all of them are counted.
MAX_FLIPS = 24


@dataclass(frozen=True)
class Predictions:
    """The most probable class of each image and its probability, as one model gave them."""

    classes: NDArray[np.int64]  # (N,)
    probabilities: NDArray[np.float32]  # (N,)

    @classmethod
    def of(cls, probabilities: NDArray[np.float32]) -> "Predictions":
        """Take them from the probabilities of all classes, `(N, classes)`."""
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1))


@dataclass(frozen=True)
class Flip:
    """One image to which a file and the reference give different answers."""

    # Its number in the test data, and the name of its file there.
    index: int
    image: str
    # The class it is labelled with, and the two answers with their probabilities, 0…1.
    label: str
    reference: str
    reference_probability: float
    answer: str
    probability: float


@dataclass(frozen=True)
class Against:
    """A file's answers against those of the reference."""

    # Share of the images, 0…1, that both give the same class.
    agreement: float
    # Images that one of the two alone gets right, and how likely so large a difference is between equals (McNemar).
    only_reference_right: int
    only_this_right: int
    p_value: float
    # Of each class: its accuracy, 0…1, less that of the reference; None where the test data has no image of it.
    class_changes: tuple[float | None, ...]
    # All images with different answers, and the first `MAX_FLIPS` of them: those that the reference alone gets right
    # first, of these the ones it was surest of.
    flip_count: int
    flips: tuple[Flip, ...]


@dataclass(frozen=True)
class FileAnswers:
    """One file's answers in one engine to all labelled images."""

    # As in the rows.
    candidate: str
    labels: tuple[str, ...]
    # How many images of each class (row) were given each answer (column).
    confusion: tuple[tuple[int, ...], ...]
    # The numbers of the images that it gets wrong, ascending: two benchmarks can be compared image by image.
    wrong: tuple[int, ...]
    # None of the reference itself, and where its answers do not fit.
    against: Against | None


def confusion(
    labels: Sequence[str], truth: NDArray[np.int64], classes: NDArray[np.int64]
) -> tuple[tuple[int, ...], ...]:
    """Count how many images of each class (row) were given each answer (column).

    >>> confusion(("a", "b"), np.array([0, 0, 1]), np.array([0, 1, 1]))
    ((1, 1), (0, 1))
    """
    counts = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(counts, (truth, classes), 1)
    return tuple(tuple(row) for row in counts.tolist())


def compare(
    labels: Sequence[str],
    truth: NDArray[np.int64],
    images: Sequence[str],
    *,
    reference: Predictions,
    own: Predictions,
) -> Against:
    """Compare a file's answers with the reference's.

    Args:
        labels: the class names, in order.
        truth: the labelled class of each image, `(N,)`.
        images: the file name of each image.
        reference: its answers to the same images.
        own: the file's answers.
    """
    reference_right, right = reference.classes == truth, own.classes == truth
    differ = np.flatnonzero(reference.classes != own.classes)
    # Lost images first, then won ones, then those that both get wrong; the reference's surest first.
    rank = np.where(reference_right[differ], 0, np.where(right[differ], 1, 2))
    order = differ[np.lexsort((differ, -reference.probabilities[differ], rank))]
    only_reference, only_own = int(np.sum(reference_right & ~right)), int(np.sum(right & ~reference_right))
    return Against(
        agreement=1 - len(differ) / len(truth),
        only_reference_right=only_reference,
        only_this_right=only_own,
        p_value=mcnemar(only_reference, only_own),
        class_changes=tuple(
            float(np.mean(right[truth == number]) - np.mean(reference_right[truth == number]))
            if np.any(truth == number)
            else None
            for number in range(len(labels))
        ),
        flip_count=len(differ),
        flips=tuple(
            Flip(
                index=int(index),
                image=images[index],
                label=labels[truth[index]],
                reference=labels[reference.classes[index]],
                reference_probability=float(reference.probabilities[index]),
                answer=labels[own.classes[index]],
                probability=float(own.probabilities[index]),
            )
            for index in order[:MAX_FLIPS]
        ),
    )
