"""Rows that name an image and its label, matched with the image files that are there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.class_folders import natural_order
from edgecnn_training.data.readers.folder_tree import FolderTree, is_image
from edgecnn_training.data.readers.members import Members
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import SPLITS


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """One row of a table of labels."""

    line: int  # counted from 1, as an editor does
    image: str
    label: str
    split: str


def source_of_rows(
    rows: Sequence[LabelledRow], members: Members, *, table: str, labels: tuple[str, ...] | None = None
) -> RawImageSet:
    """Find the image of each row; an image is named by its path, by the end of it, or by either without the suffix.

    An image with two different labels, or in two splits, is left out: nobody knows which holds. Images are in the
    order of their labels and names, so that the order of the rows decides nothing.

    Args:
        rows: the complete ones.
        members: where the images are.
        table: the name of the file with the rows, for messages.
        labels: in order; default: those of the rows, in natural order.

    Raises:
        DataError: not one row has its image.
    """
    images = [name for name in FolderTree.of(members).all_files() if is_image(name)]
    index = _Index.of(images)
    by_image: dict[str, list[LabelledRow]] = {}
    absent, ambiguous, repeated, contradictory = [], [], [], []
    for row in rows:
        found = index.find(row.image)
        if len(found) == 1:
            by_image.setdefault(found[0], []).append(row)
        elif found:
            ambiguous.append(f"{row.image} is {found[0]} or {found[1]}")
        else:
            absent.append(row.image)
    usable: dict[str, LabelledRow] = {}
    for image, named in by_image.items():
        if len({(row.label, row.split) for row in named}) > 1:
            contradictory.append(
                f"{image}: " + ", ".join(f"{row.label} ({row.split}) in line {row.line}" for row in named[:2])
            )
            continue
        usable[image] = named[0]
        repeated += [f"line {row.line}" for row in named[1:]]
    if not usable:
        raise DataError(
            f"{members.path}: expected image files as the rows of {table} name them, got {len(images):,} images and "
            f"{len(rows):,} rows{f' (the first names {rows[0].image})' if rows else ''} that do not fit together"
        )
    labels = labels or tuple(sorted({row.label for row in usable.values()}, key=natural_order))
    findings = {
        (FindingKind.LABEL_WITHOUT_FILE, f"{table}: rows without their image"): absent,
        (FindingKind.MISSING_VALUE, f"{table}: rows left out, whose name fits several images"): ambiguous,
        (
            FindingKind.MISSING_VALUE,
            f"{table}: images left out, because their rows differ in label or split",
        ): contradictory,
        (FindingKind.LEFT_OUT, f"{table}: rows that repeat an earlier one"): repeated,
        (FindingKind.FILE_WITHOUT_LABEL, f"images without a usable row in {table}"): sorted(
            set(images) - by_image.keys(), key=natural_order
        ),
    }
    return RawImageSet(
        labels,
        _splits(usable, members, labels),
        tuple(Finding(kind, text, cases) for (kind, text), cases in findings.items() if cases),
    )


def _splits(usable: Mapping[str, LabelledRow], members: Members, labels: tuple[str, ...]) -> dict[str, SourceSplit]:
    numbers = {label: number for number, label in enumerate(labels)}
    names = sorted(usable, key=lambda name: (numbers[usable[name].label], natural_order(name)))
    splits = {}
    for split in SPLITS:
        chosen = [name for name in names if usable[name].split == split]
        if chosen:
            classes = np.array([numbers[usable[name].label] for name in chosen], np.int64)
            splits[split] = SourceSplit(members.images(chosen), classes, chosen)
    return splits


@dataclass(frozen=True)
class _Index:
    """Image files by all that a row may call them."""

    by_path: frozenset[str]
    by_end: Mapping[str, Sequence[str]]  # "b/c.png" and "c.png" for "a/b/c.png"
    by_stem: Mapping[str, Sequence[str]]  # the same without ".png"

    @classmethod
    def of(cls, images: Sequence[str]) -> "_Index":
        by_end: dict[str, list[str]] = {}
        by_stem: dict[str, list[str]] = {}
        for image in images:
            parts = PurePosixPath(image).parts
            for start in range(len(parts)):
                end = PurePosixPath(*parts[start:])
                by_end.setdefault(str(end), []).append(image)
                by_stem.setdefault(str(end.with_suffix("")), []).append(image)
        return cls(frozenset(images), by_end, by_stem)

    def find(self, name: str) -> Sequence[str]:
        """Return the images that a row may mean; one that is meant by its whole path comes alone."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        whole = str(PurePosixPath(*parts))
        if whole in self.by_path:
            return [whole]
        if found := self.by_end.get(whole) or self.by_stem.get(whole):
            return found
        # A path of the machine that the table was written on. Only a whole path from the root here is the same image:
        # of "/there/train/1.png" the end "1.png" might be that of "test/1.png".
        ends = (str(PurePosixPath(*parts[start:])) for start in range(1, len(parts)))
        return [end for end in ends if end in self.by_path][:1]
