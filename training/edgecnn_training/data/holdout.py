"""From the images as their source gives them to splits fit for training: test images held out, copies separated."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.workstation.division import stratified_sample
from edgecnn_training.data.checks.grouped_split import grouped_sample, without_copies_across
from edgecnn_training.data.finding import Finding, FindingKind, named
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
        DataError: it is not fit for training, for all the reasons that the message gives.
    """
    made, faults = _made_fit(source, holdout)
    if faults:
        raise DataError(f"{name}: {'. Besides, '.join(faults)}")
    return made


def with_faults_found(source: RawImageSet) -> RawImageSet:
    """Make the splits of a source as `with_test_split` does; what keeps it from being trained on becomes findings."""
    made, faults = _made_fit(source, DEFAULT_HOLDOUT)
    findings = [Finding(FindingKind.UNTRAINABLE, fault) for fault in faults]
    return dataclasses.replace(made, findings=(*findings, *made.findings))


def _made_fit(source: RawImageSet, holdout: Holdout) -> tuple[RawImageSet, list[str]]:
    """Return a source with splits to train on, and all that keeps it from being trained on."""
    faults = _faults(source)
    if TRAIN not in source.splits:
        return source, faults
    if TEST not in source.splits:
        divided, too_few = _divided(source, holdout)
        return divided, faults + too_few
    if faults or not holdout.group_near_duplicates:
        return source, faults
    source = without_copies_across(source)
    return source, [f"without near-identical images: {fault}" for fault in _faults(source)]


def _faults(source: RawImageSet) -> list[str]:
    """Say what is wrong with the classes of a source."""
    faults = [
        f"expected classes with printable names, got {label!r}; rename it"
        for label in source.labels
        if not label.isprintable()
    ]
    if len(source.labels) < 2:
        faults.append(
            f"expected at least two classes, got only {source.labels[0]}; "
            "name the folder that holds one sub-folder per class, or give 'edgecnn data prepare --labels CSV'"
        )
    if TRAIN not in source.splits:
        return [
            *faults,
            f"expected images to train on, in a split {TRAIN!r}, got only {' and '.join(source.splits)}; "
            "add them, or give one of these alone",
        ]
    counts = np.bincount(source.splits[TRAIN].labels, minlength=len(source.labels))
    if not counts.all():
        empty = [source.labels[number] for number in np.flatnonzero(counts == 0)]
        faults.append(
            f"expected training images of every class, got none of: {named(empty)}; add images or remove the folder"
        )
    return faults


def _divided(source: RawImageSet, holdout: Holdout) -> tuple[RawImageSet, list[str]]:
    """Take the test images out of the training images; leave them together, and say why, where that cannot be."""
    split = source.splits[TRAIN]
    if holdout.group_near_duplicates:
        test = grouped_sample(split, source.labels, holdout.fraction, seed=holdout.seed)
    else:
        test = stratified_sample(split.labels, round(len(split) * holdout.fraction), seed=holdout.seed)
    in_test = np.zeros(len(split), bool)
    in_test[test] = True
    counts, left = (
        np.bincount(labels, minlength=len(source.labels)) for labels in (split.labels, split.labels[~in_test])
    )
    lost = (counts > 0) & (left == 0)
    if lost.any() or not len(test):
        # One for testing, one to choose the epoch by, and one to train on, of the usual shares.
        enough = math.floor(1 / (1 - holdout.fraction)) + 2
        short = np.flatnonzero(lost | ((counts > 0) & (counts < enough)))
        few = [f"{source.labels[number]} ({counts[number]:,})" for number in short]
        return source, [
            f"expected enough images to keep {holdout.fraction:.0%} of each class for testing and train on others, "
            f"got too few of: {named(few)}; have at least {enough:,} of each class, or give the test images separately"
        ]
    splits = {**source.splits, TRAIN: split.chosen(~in_test), TEST: split.chosen(in_test)}
    ordered = {split: splits[split] for split in SPLITS if split in splits}
    return dataclasses.replace(source, splits=ordered, test_held_out=True), []
