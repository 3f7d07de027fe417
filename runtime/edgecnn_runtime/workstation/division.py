"""Which images a run was trained on and which it was validated on: decided and recorded by training, read by export.

Samples hold every class in its proportion: for validation, test and calibration.
"""

import enum
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation import VALIDATION_FRACTION
from edgecnn_runtime.workstation.image_set import ImageSet, Split
from edgecnn_runtime.workstation.joined_split import join_splits


class DivisionMethod(enum.StrEnum):
    """Where the validation images come from."""

    VALID_SPLIT = "valid-split"  # the set has a split `valid`
    STRATIFIED = "stratified"  # a share of each class of the split `train`
    NONE = "none"  # all images are trained on; what the network makes of new ones is known from folds


@dataclass(frozen=True)
class Portion:
    """Some images of a split."""

    split: Split
    positions: NDArray[np.int64]  # in the split, ascending

    @classmethod
    def whole(cls, split: Split) -> Self:
        """Return all images of a split."""
        return cls(split, np.arange(len(split)))

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images, `(N, height, width, channels)`, read from the split at each call."""
        return self.split.images[self.positions]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their class numbers, `(N,)`."""
        return self.split.labels[self.positions]

    @property
    def files(self) -> list[str]:
        """Where each of them came from, as the split says it."""
        return [self.split.files[position] for position in self.positions]

    def sample(self, count: int, *, seed: int) -> "Portion":
        """Choose `count` of the images by `stratified_sample`."""
        return Portion(self.split, self.positions[stratified_sample(self.labels, count, seed=seed)])


@dataclass(frozen=True, kw_only=True)
class Division:
    """How the images of a run were divided into training and validation images."""

    method: DivisionMethod
    fraction: float | None = None  # of the split `train` for validation, 0…1; None with a split `valid`
    seed: int | None = None  # of the choice; None with a split `valid`
    joined: tuple[str, ...] = ()  # the splits that are trained on together, where no images are kept back

    @classmethod
    def of(cls, image_set: ImageSet, *, fraction: float = VALIDATION_FRACTION, seed: int = 0) -> Self:
        """Decide how a set is divided: its split `valid` comes before a share of its split `train`."""
        if "valid" in image_set.splits:
            return cls(method=DivisionMethod.VALID_SPLIT)
        return cls(method=DivisionMethod.STRATIFIED, fraction=fraction, seed=seed)

    @classmethod
    def keeping_none(cls, image_set: ImageSet) -> Self:
        """Decide that all images are trained on, but for a split `test` that came with the images."""
        kept = () if image_set.test_held_out else ("test",)
        return cls(method=DivisionMethod.NONE, joined=tuple(name for name in image_set.splits if name not in kept))

    @property
    def trains_on_test(self) -> bool:
        """Whether the images of the split `test` are trained on too, so that a score on them says nothing."""
        return "test" in self.joined

    def reference(self, image_set: ImageSet) -> Split:
        """Return the images that an exported file is compared with the Keras model on.

        These are the split `test`; where the network has seen it anyhow, all images, which are few then.
        """
        return self._joined(image_set).split if self.trains_on_test else image_set.split("test")

    def _joined(self, image_set: ImageSet) -> Portion:
        return Portion.whole(join_splits([image_set.split(name) for name in self.joined]))

    def divide(self, image_set: ImageSet) -> tuple[Portion, Portion]:
        """Return the training images and the validation images of a set.

        No image is in both, unless none is kept back: then both are all images.

        Raises:
            DataError: too few images for both, or no such split.
        """
        if self.joined:
            return self._joined(image_set), self._joined(image_set)
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


def stratified_sample(labels: NDArray[np.int64], count: int, *, seed: int) -> NDArray[np.int64]:
    """Choose `count` images so that each class has its share, rounded by the largest remainder.

    The same labels, count and seed give the same images on every machine with the same numpy.

    Args:
        labels: `(N,)`, class numbers.
        count: how many to choose, 0…N.
        seed: of numpy's PCG64 generator.

    Returns:
        int64 `(count,)`, positions in `labels`, ascending.

    Raises:
        ValueError: more are asked for than there are.

    >>> labels = np.array([0] * 6 + [1] * 3)
    >>> np.bincount(labels[stratified_sample(labels, 3, seed=0)]).tolist()
    [2, 1]
    """
    if not 0 <= count <= len(labels):
        raise ValueError(f"sample: expected 0…{len(labels)} images, got {count}")
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * count / max(1, len(labels))
    counts = np.floor(shares).astype(np.int64)
    # Ties between equal remainders go to the lower class, on every machine.
    by_remainder = np.argsort(-(shares - counts), kind="stable")
    counts[by_remainder[: count - int(counts.sum())]] += 1
    generator = np.random.default_rng(seed)
    chosen = [
        generator.permutation(np.flatnonzero(labels == label))[:size]
        for label, size in zip(classes, counts, strict=True)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)
