"""Splits between which no image has a copy, mirrored, rotated or compressed anew."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.data.checks.examine import examine
from edgecnn_training.data.checks.near_identical import Bounds, near_identical
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import TEST, TRAIN, VALID

# Wider than where copies are only reported: two images just beyond those bounds come within them when they are resized.
_BOUNDS = Bounds(distance=8, correlation=0.96)


def grouped_sample(split: SourceSplit, labels: tuple[str, ...], fraction: float, *, seed: int) -> NDArray[np.int64]:
    """Choose whole groups of near-identical images, about the same share of every class.

    Images belong to one group if a chain of near-identical ones joins them. Of each class, groups are drawn at random
    as long as they fit into its share, so that a class may get less than its share, never more. An image that cannot be
    read stays where it is.

    Args:
        split: what is divided.
        labels: the names of the classes.
        fraction: of each class, 0…1.
        seed: of the lot.

    Returns:
        int64 positions in the split, ascending.
    """
    examined = examine(RawImageSet(labels, {"all": split}))["all"]
    pairs = near_identical(examined.thumbnails, bounds=_BOUNDS)
    groups = _joined(len(examined.files), [(pair.first, pair.second) for pair in pairs])
    room = {number: round(fraction * int(np.count_nonzero(split.labels == number))) for number in range(len(labels))}
    generator = np.random.default_rng(seed)
    chosen: list[int] = []
    for index in generator.permutation(len(groups)).tolist():
        # A group of two labels, which a fault of labelling makes, counts for the class of its first image.
        number = int(examined.labels[groups[index][0]])
        if len(groups[index]) <= room[number]:
            room[number] -= len(groups[index])
            chosen += groups[index]
    positions = {file: position for position, file in enumerate(split.files)}
    return np.array(sorted(positions[examined.files[member]] for member in chosen), np.int64)


def without_copies_across(source: RawImageSet) -> RawImageSet:
    """Leave out images so that no two splits hold near-identical ones.

    The test images all stay, because scores on them are compared with those of others. Of the validation images, those
    go that resemble a test image; of the training images, those that resemble a test image or a validation image that
    stays. What resembles is what `data check` reports; only what resembles one of those directly goes, not what a chain
    of other images joins to it: among many photos of one make of part, such chains reach nearly all.

    Args:
        source: with the splits as they are given.

    Returns:
        The same without them; a finding names them.
    """
    examined = examine(source)
    names = list(examined)
    starts = np.cumsum([0, *(len(examined[name].files) for name in names)])
    owner = np.repeat(np.arange(len(names)), np.diff(starts))
    pairs = near_identical(np.concatenate([examined[name].thumbnails for name in names]))
    gone: set[int] = set()
    for keeper, losers in ((TEST, (VALID, TRAIN)), (VALID, (TRAIN,))):
        for pair in pairs:
            for kept, lost in ((pair.first, pair.second), (pair.second, pair.first)):
                if names[owner[kept]] == keeper and names[owner[lost]] in losers and kept not in gone:
                    gone.add(lost)
    splits, findings = dict(source.splits), []
    for number, name in enumerate(names):
        files = {examined[name].files[place - starts[number]] for place in gone if owner[place] == number}
        if files:
            split = source.splits[name]
            leaves = np.array([file in files for file in split.files])
            splits[name] = split.chosen(~leaves)
            keepers = " or ".join(other for other in (TEST, VALID) if other in source.splits and other != name)
            text = f"{name}: images near-identical to one in {keepers} are left out"
            findings.append(Finding(FindingKind.LEFT_OUT, text, [file for file in split.files if file in files]))
    return dataclasses.replace(source, splits=splits, findings=(*source.findings, *findings))


def _joined(count: int, pairs: list[tuple[int, int]]) -> list[list[int]]:
    """Return the groups into which pairs join the numbers 0…count-1."""
    first_of = list(range(count))

    def first(member: int) -> int:
        while first_of[member] != member:
            # Halves the way, so that long chains stay quick.
            first_of[member] = first_of[first_of[member]]
            member = first_of[member]
        return member

    for one, other in pairs:
        low, high = sorted((first(one), first(other)))
        first_of[high] = low
    groups: dict[int, list[int]] = {}
    for member in range(count):
        groups.setdefault(first(member), []).append(member)
    return list(groups.values())
