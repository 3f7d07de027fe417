"""Which images a run was trained on and which it was validated on: decided and recorded by training, read by export."""

import enum
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.stratify import stratified_sample

# The share of the training split that is validated on where nobody says otherwise.
VALIDATION_FRACTION = 0.1


class DivisionMethod(enum.StrEnum):
    """Where the validation images come from."""

    VALID_SPLIT = "valid-split"  # the set has a split `valid`
    STRATIFIED = "stratified"  # a share of each class of the split `train`


@dataclass(frozen=True)
class Portion:
    """Some images of a split."""

    split: Split
    positions: NDArray[np.int64]  # in the split, ascending


@dataclass(frozen=True, kw_only=True)
class Division:
    """How the images of a run were divided into training and validation images."""

    method: DivisionMethod
    fraction: float | None = None  # of the split `train` for validation, 0…1; None with a split `valid`
    seed: int | None = None  # of the choice; None with a split `valid`

    @classmethod
    def of(cls, image_set: ImageSet, *, fraction: float = VALIDATION_FRACTION, seed: int = 0) -> Self:
        """Decide how a set is divided: its split `valid` comes before a share of its split `train`."""
        if "valid" in image_set.splits:
            return cls(method=DivisionMethod.VALID_SPLIT)
        return cls(method=DivisionMethod.STRATIFIED, fraction=fraction, seed=seed)

    def divide(self, image_set: ImageSet) -> tuple[Portion, Portion]:
        """Return the training images and the validation images of a set; no image is in both.

        Raises:
            DataError: too few images for both, or no such split.
        """
        train = image_set.split("train")
        everything = np.arange(len(train))
        if self.fraction is None or self.seed is None:
            valid = image_set.split("valid")
            return Portion(train, everything), Portion(valid, np.arange(len(valid)))
        count = round(len(train) * self.fraction)
        if not 0 < count < len(train):
            raise DataError(
                f"train: expected enough images to keep {self.fraction:.0%} for validation, got {len(train)}; "
                "add images"
            )
        validation = stratified_sample(train.labels, count, seed=self.seed)
        training = np.setdiff1d(everything, validation, assume_unique=True)
        return Portion(train, training), Portion(train, validation)
