"""Folds: each image is scored by a network that was not trained on it, so that the model itself can be trained on all.

Of a small folder no image can be spared. The score of the model on all images is then taken to be that of the networks
of the folds, which were trained in the same way on fewer images: if anything, it is too low (T. Hastie, R. Tibshirani,
J. Friedman, The Elements of Statistical Learning, 2nd ed. 2009, section 7.10.1).
"""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.system.atomic_files import atomic_write
from edgecnn_runtime.workstation.division import Portion
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.history import Epoch, Monitor
from edgecnn_training.resuming.checkpoints import Checkpoint
from edgecnn_training.settings import TrainingSettings

# Where the number of folds is left open: below so many images no split of them decides anything, and the usual number
# of folds (Hastie et al., as above) takes no more than minutes.
_FEW_IMAGES = 200
_USUAL_FOLDS = 5

# Trains a network on the images of a portion, with those of another kept back, and returns what it gives for these,
# `(N, classes)`: (training images, images kept back, folder of the fold, number of the fold from 1).
FitFold: TypeAlias = Callable[[Portion, Portion, RunFolder, int], NDArray[np.float32]]


@dataclass(frozen=True)
class OutOfFold:
    """What the networks of all folds gave for the images that each was not trained on."""

    images: Split
    probabilities: NDArray[np.float32]  # (N, classes)
    history: tuple[Epoch, ...]  # the mean scores of the epochs, over the images
    positions: NDArray[np.int64]  # (N,), where the images are among all that were divided, ascending


def with_folds(settings: TrainingSettings, image_set: ImageSet, *, shares: int) -> TrainingSettings:
    """Decide on the number of folds where it is left open.

    There are none where a split, an epoch, several devices or a teacher were asked for, whatever the number of images:
    a teacher has learnt from the images that a fold keeps back.
    """
    if settings.folds is not None:
        return settings
    division = dataclasses.replace(settings, folds=_USUAL_FOLDS).division_of(image_set)
    images = sum(len(image_set.split(name)) for name in division.joined)
    fixed = settings.monitor is Monitor.LAST and not settings.patience and settings.teacher is None
    few = images < _FEW_IMAGES and fixed and shares == 1 and "valid" not in image_set.splits
    return dataclasses.replace(settings, folds=_USUAL_FOLDS if few else 0)


def fold_numbers(images: Split, folds: int, *, seed: int) -> NDArray[np.int64]:
    """Divide images into folds, each class evenly; images of the same pixels stay together.

    Args:
        images: N of them.
        folds: how many, at least 2; fewer are made where no class has so many different images.
        seed: of the choice.

    Returns:
        `(N,)`, 0…folds - 1, or -1 for an image that has to be trained on always: no other shows its class.

    Raises:
        DataError: no class has two different images.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    digests = [hashlib.sha256(np.ascontiguousarray(images.images[index]).data).digest() for index in range(len(images))]
    # By the first image of each, not by the digests: a set is then divided alike at every size and in every colour.
    numbered: dict[bytes, int] = {}
    groups = np.array([numbered.setdefault(digest, len(numbered)) for digest in digests])
    different = [len(np.unique(groups[images.labels == number])) for number in np.unique(images.labels)]
    folds = min(folds, max(different))
    if folds < 2:
        raise DataError("folds: expected two different images of a class at least, got one of each; add images")
    numbers: NDArray[np.int64] = np.full(len(images), -1, np.int64)
    divider = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Of classes that have fewer images than there are folds.
        warnings.simplefilter("ignore", UserWarning)
        for number, (_, held) in enumerate(divider.split(images.labels, images.labels, groups)):
            numbers[held] = number
    for number in np.unique(images.labels):
        members = np.flatnonzero(images.labels == number)
        if len(np.unique(numbers[members])) == 1:
            numbers[members] = -1
    return numbers


def cross_fit(
    everything: Portion, folds: int, *, seed: int, folder: RunFolder, fit_fold: FitFold, only: int | None = None
) -> OutOfFold:
    """Train the networks of all folds; of a stopped run, those that are not yet finished.

    Args:
        everything: the images.
        folds: how many.
        seed: of the choice.
        folder: of the run; each fold has its own within, for as long as the run is not finished.
        fit_fold: trains one, and leaves its checkpoint in the folder of the fold.
        only: train the first so many folds, and score their images alone; None: all.
    """
    numbers = fold_numbers(everything.split, folds, seed=seed)
    rows: list[tuple[NDArray[np.int64], NDArray[np.float32]]] = []
    histories: list[tuple[Epoch, ...]] = []
    for number in range(int(numbers.max()) + 1)[:only]:
        held = np.flatnonzero(numbers == number)
        place = folder.fold(number + 1)
        if not place.test_probabilities.exists():
            training = Portion(everything.split, np.flatnonzero(numbers != number))
            answers = fit_fold(training, Portion(everything.split, held), place, number + 1)
            with atomic_write(place.test_probabilities) as partial:
                np.save(partial, answers, allow_pickle=False)
        rows.append((held, np.load(place.test_probabilities, allow_pickle=False)))
        checkpoint = Checkpoint.read(place)
        histories.append(checkpoint.history if checkpoint else ())
    positions = np.concatenate([held for held, _ in rows])
    order = np.argsort(positions)
    chosen = positions[order]
    split = everything.split
    return OutOfFold(
        Split(split.images[chosen], split.labels[chosen], tuple(split.files[index] for index in chosen)),
        np.concatenate([answers for _, answers in rows])[order],
        _mean(histories, [len(held) for held, _ in rows]),
        chosen,
    )


def _mean(histories: Sequence[Sequence[Epoch]], images: Sequence[int]) -> tuple[Epoch, ...]:
    """Return the mean scores of each epoch; the number of epochs is fixed, so all folds have the same."""

    def mean(name: str, epochs: Sequence[Any]) -> float:
        return float(np.average([getattr(epoch, name) for epoch in epochs], weights=images))

    scores = ("loss", "accuracy", "val_loss", "val_accuracy")
    return tuple(
        dataclasses.replace(epochs[0], **{name: mean(name, epochs) for name in scores})
        for epochs in zip(*histories, strict=True)
    )
