"""From the images as their source gives them to splits fit for training: test images held out, copies separated."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.division import stratified_sample
from edgecnn_training.data.checks.grouped_split import grouped_sample, without_copies_across
from edgecnn_training.data.finding import named
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.readers.split_names import SPLITS, TEST, TRAIN


@dataclass(frozen=True)
class Holdout:
    """Which images become the test split where the source has none: a stratified share of the training images."""

    fraction: float = 0.2
    seed: int = 0
    # Whether near-identical images go to one split together; every image is then read once more.
    group_near_duplicates: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise DataError(f"test fraction: expected a value between 0 and 1, got {self.fraction:g}")


DEFAULT_HOLDOUT = Holdout()


def with_test_split(source: RawImageSet, holdout: Holdout = DEFAULT_HOLDOUT, *, name: str) -> RawImageSet:
    """Make the splits of a source fit for training.

    Without a split `test`, its images are taken out of `train`. A split `test` that the source gives stays as it is;
    with `group_near_duplicates`, images of the other splits that resemble one of it are then left out.

    Args:
        source: as a reader gives it.
        holdout: which images to take.
        name: of the source, for messages.

    Raises:
        DataError: fewer than two classes, a class with a name that cannot be printed or without images to train on,
            or too few images to take some for testing.
    """
    _check_classes(source, name)
    if TEST not in source.splits:
        return _divided(source, holdout, name)
    if not holdout.group_near_duplicates:
        return source
    source = without_copies_across(source)
    _check_classes(source, f"{name} without near-identical images")
    return source


def _check_classes(source: RawImageSet, name: str) -> None:
    for label in source.labels:
        if not label.isprintable():
            raise DataError(f"{name}: expected classes with printable names, got {label!r}; rename it")
    if len(source.labels) < 2:
        raise DataError(
            f"{name}: expected at least two classes, got only {source.labels[0]}; "
            "name the folder that holds one sub-folder per class, or give 'edgecnn data prepare --labels CSV'"
        )
    if TRAIN not in source.splits:
        raise DataError(
            f"{name}: expected images to train on, in a split {TRAIN!r}, got only {' and '.join(source.splits)}; "
            "add them, or give one of these alone"
        )
    numbers = source.splits[TRAIN].labels
    counts = np.bincount(numbers, minlength=len(source.labels))
    empty = [label for label, count in zip(source.labels, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f"{name}: expected training images of every class, got none of: {named(empty)}; "
            "add images or remove the folder"
        )


def _divided(source: RawImageSet, holdout: Holdout, name: str) -> RawImageSet:
    """Take the test images out of the training images."""
    split = source.splits[TRAIN]
    if holdout.group_near_duplicates:
        test = grouped_sample(split, source.labels, holdout.fraction, seed=holdout.seed)
    else:
        test = stratified_sample(split.labels, round(len(split) * holdout.fraction), seed=holdout.seed)
    in_test = np.zeros(len(split), bool)
    in_test[test] = True
    if not len(test) or set(split.labels[~in_test]) != set(split.labels):
        raise DataError(
            f"{name}: expected enough images to keep {holdout.fraction:.0%} of each class for testing, "
            f"got {len(split)} in all; add images, or give the test images separately"
        )
    splits = {**source.splits, TRAIN: split.chosen(~in_test), TEST: split.chosen(in_test)}
    ordered = {split: splits[split] for split in SPLITS if split in splits}
    return dataclasses.replace(source, splits=ordered, test_held_out=True)
