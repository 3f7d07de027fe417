"""Train a candidate on folds for as long as its rung says, never on images for testing."""

import dataclasses
import shutil
from dataclasses import dataclass

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.division import Division, DivisionMethod, Portion
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_training.automatic.plan import usual_folds
from edgecnn_training.devices.devices import Devices
from edgecnn_training.evaluation.scores import evaluate
from edgecnn_training.fit import ReportProgress
from edgecnn_training.folds import OutOfFold
from edgecnn_training.network_training import NetworkTraining
from edgecnn_training.resuming.origin import RunOrigin
from edgecnn_training.search.choice import NOT_ASKED, RIGHT, WRONG, Scored
from edgecnn_training.search.space import Candidate
from edgecnn_training.settings import TrainingSettings
from edgecnn_training.stopwatch import Stopwatch

# Where there are images enough, the first of so many folds scores them all well.
_MANY_FOLDS = 5


@dataclass(frozen=True)
class FoldPlan:
    """Into how many folds images are divided, and how many of these are trained."""

    folds: int
    only: int | None

    @classmethod
    def of(cls, images: int, *, folds: int | None) -> "FoldPlan":
        """Decide, if the user does not; the more images, the fewer folds are trained."""
        usual = folds or usual_folds(images)
        return cls(usual, None) if usual else cls(_MANY_FOLDS, 1)


def searched_images(image_set: ImageSet) -> Portion:
    """Return the images that a search may use: all but the split `test`, whoever held it out.

    The best of many candidates is the luckiest one too, so its score on folds is a little too good; images that no
    candidate was compared on are what shows that.

    Raises:
        DataError: a class has fewer than two of them.
    """
    names = tuple(name for name in image_set.splits if name != "test")
    everything, _ = Division(method=DivisionMethod.NONE, joined=names).divide(image_set)
    counts = np.bincount(everything.labels, minlength=len(image_set.labels))
    few = [f"{label} ({count})" for label, count in zip(image_set.labels, counts, strict=True) if count < 2]
    if few:
        shown = ", ".join(few[:10]) + (f" and {len(few) - 10} more" if len(few) > 10 else "")
        raise DataError(
            f"{image_set.name}: expected at least two images of each class beside those for testing, got fewer of "
            f"{shown}; add images"
        )
    return everything


def settings_of(candidate: Candidate, *, epochs: int | None, folds: int, seed: int) -> TrainingSettings:
    """Return how a candidate is trained to the end.

    Args:
        candidate: which.
        epochs: as the user says; None: the recipe's, with the steps that it needs at least.
        folds: how many.
        seed: of the weights, the order and the folds.
    """
    return candidate.architecture.found().settings.overridden(
        epochs=epochs, augment=candidate.augment, folds=folds, seed=seed
    )


def shortened(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    """Return the same for a rung: fewer epochs, and the steps in proportion; the schedule is a whole one."""
    least = round(settings.least_steps * epochs / settings.epochs)
    return dataclasses.replace(settings, epochs=epochs, least_steps=least)


def out_of_fold(
    candidate: Candidate,
    image_set: ImageSet,
    settings: TrainingSettings,
    place: RunFolder,
    *,
    plan: FoldPlan,
    devices: Devices,
    watch: Stopwatch,
    report: ReportProgress,
) -> OutOfFold:
    """Train the folds of a candidate; those that are finished in `place` are read again.

    Raises:
        DataError: no class has two different images.
        GateError: the training diverged.
    """
    recipe = candidate.architecture.found()
    origin = RunOrigin(recipe.name, str(image_set.folder), image_set.fingerprint, settings)
    training = NetworkTraining(recipe, image_set, origin, devices, watch)
    everything = searched_images(image_set)
    return training.out_of_fold(everything, folder=place, report=report, folds=plan.folds, only=plan.only)


def score(
    candidate: Candidate, image_set: ImageSet, found: OutOfFold, *, rung: int, epochs: int, seconds: float
) -> Scored:
    """Return what the folds say."""
    labels = found.images.labels
    evaluation = evaluate(found.probabilities, labels, image_set.labels)
    right = np.full(len(searched_images(image_set)), NOT_ASKED)
    right[found.positions] = np.where(found.probabilities.argmax(axis=1) == labels, RIGHT, WRONG)
    return Scored(
        name=candidate.name,
        rung=rung,
        epochs=epochs,
        accuracy=evaluation.accuracy,
        balanced_accuracy=evaluation.balanced_accuracy,
        loss=evaluation.loss,
        seconds=round(seconds, 3),
        right="".join(right),
    )


def forget(place: RunFolder) -> None:
    """Remove the weights and answers of a candidate whose score is kept."""
    shutil.rmtree(place.path, ignore_errors=True)
