"""One folder a class, in a folder or zip archive, with or without folders `train`, `valid` and `test` above them."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_runtime.errors import DataError, InputError
from edgecnn_runtime.sources import IMAGE_SUFFIXES, image_files
from edgecnn_training.data.finding import Finding, FindingKind, named
from edgecnn_training.data.readers.folder_tree import FolderTree, is_image
from edgecnn_training.data.readers.members import Members, opened_members
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import SPLITS, TRAIN, split_of

LAYOUT = "a folder or zip with one sub-folder per class, or with folders train, valid (optional) and test of such ones"


def read_class_folders(path: Path) -> RawImageSet:
    """Read class folders; the labels are the folders' names in natural order (class2 before class10).

    A split level is recognized by a folder `train` (or `test`, `validation`, …) that itself has sub-folders; without
    one, all images are in the split `train`. Within a class, sub-folders are read too. Images are recognized by suffix.
    Hidden files are passed over without a word, all else with a finding. Where every class folder holds nothing but
    folders, those may be the classes: that is a question, and never answered here.

    Args:
        path: the folder or zip, or one that holds nothing but it, as archives often unpack; a zip is read as it is.

    Raises:
        DataError: no such folder or zip, no sub-folder, no image in one, or a folder above or below an image set.
    """
    with opened_members(path, layout=LAYOUT) as members:
        root = _descend(FolderTree.of(members))
        parts = _split_folders(root, path)
        found = {split: _ClassFiles.of(folder) for split, folder in parts.items()}
        labels = tuple(sorted({label for part in found.values() for label in part.images}, key=natural_order))
        _check_images(members, labels, found)
        _check_level(members, root, parts)
        return RawImageSet(
            labels=labels,
            splits={split: _source_split(members, found[split], labels) for split in SPLITS if split in found},
            findings=_findings(members, root, parts, found),
        )


def natural_order(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that takes runs of digits as numbers.

    >>> sorted(["class10", "Class2", "class1"], key=natural_order)
    ['class1', 'Class2', 'class10']
    """
    parts = re.split(r"([0-9]+)", name.casefold())
    key = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]
    # Names that differ only in case or leading zeros come in one order on every machine.
    return [*key, (2, 0, name)]


@dataclass(frozen=True)
class _ClassFiles:
    """The files of one folder of class folders."""

    images: Mapping[str, Sequence[str]]  # by class
    others: Sequence[str]  # in class folders, but no images by their suffix
    unlabelled: Sequence[str]  # images beside the class folders

    @classmethod
    def of(cls, folder: FolderTree) -> "_ClassFiles":
        images, others = {}, []
        for name, class_folder in folder.folders.items():
            files = sorted(class_folder.all_files())
            images[name] = [file for file in files if is_image(file)]
            others += [file for file in files if not is_image(file)]
        return cls(images, others, [file for file in folder.files if is_image(file)])


def _descend(root: FolderTree) -> FolderTree:
    """Enter a folder that holds nothing but another one with sub-folders."""
    while True:
        inner = list(root.folders.values())
        if len(inner) != 1 or not inner[0].folders or any(map(is_image, inner[0].files)):
            return root
        root = inner[0]


def _split_folders(root: FolderTree, path: Path) -> dict[str, FolderTree]:
    """Return the folder of class folders of each split; `root` itself is the training split if there is no level."""
    named = [(split, folder) for folder in root.folders.values() if (split := split_of(folder.name)) is not None]
    if not any(folder.folders for _, folder in named):
        return {TRAIN: root}
    folders: dict[str, FolderTree] = {}
    for split, folder in named:
        if split in folders:
            raise DataError(
                f"{path}: expected one {split} folder, got {folders[split].name} and {folder.name}; rename one"
            )
        folders[split] = folder
    return folders


def _check_images(members: Members, labels: tuple[str, ...], found: Mapping[str, _ClassFiles]) -> None:
    tables = [name for name in members.files() if name.lower().endswith((".csv", ".tsv"))]
    hint = f", or name its labels with --labels {tables[0]}" if tables else ""
    if not labels:
        above = _set_above(members.path) if members.path.is_dir() and any(map(is_image, members.files())) else None
        advice = (
            f"if this is one class of {above}, give that folder"
            if above
            else "put the images of each class into a folder"
        )
        raise DataError(f"{members.path}: expected {LAYOUT}, got no sub-folder; {advice}{hint}")
    if not any(images for part in found.values() for images in part.images.values()):
        raise DataError(
            f"{members.path}: expected image files in the class folders, got none; "
            f"an image is recognized by its suffix ({', '.join(sorted(IMAGE_SUFFIXES))}){hint}"
        )


def _check_level(members: Members, root: FolderTree, parts: Mapping[str, FolderTree]) -> None:
    """Refuse what looks like several image sets in one folder: it would be trained on the names of the sets."""
    for folder in parts.values():
        here = members.path / folder.path
        classes = [inner for inner in folder.folders.values() if any(map(is_image, inner.all_files()))]
        nested = [inner for inner in classes if not any(map(is_image, inner.files))]
        # A class may have folders; not such that are named as the classes beside it.
        for inner in nested:
            if len(shared := inner.folders.keys() & folder.folders.keys()) > 1:
                raise DataError(
                    f"{here}: expected one sub-folder per class with its images, got {inner.name}, which holds the "
                    f"classes again ({named(sorted(shared))}); move it elsewhere, or give one of the two alone"
                )
        # Below a folder `train` the level is known.
        if folder is root and nested and len(nested) == len(classes):
            sets = [str(members.path / found.path) for inner in nested for found in _sets_in(inner)]
            advice = f"give {named(sets)}" if members.path.is_dir() else f"unpack it and give one of {named(sets)}"
            raise DataError(
                f"{here}: expected one sub-folder per class with its images, got sub-folders that hold only folders "
                f"({nested[0].name}: {named(sorted(nested[0].folders, key=natural_order))}); if those are the classes, "
                f"{advice}; if {named([inner.name for inner in nested])} are, put their images directly into them"
            )


def _sets_in(folder: FolderTree) -> list[FolderTree]:
    """Return the folders, this one or some below it, whose own folders hold images: each may be an image set."""
    if any(is_image(file) for inner in folder.folders.values() for file in inner.files):
        return [folder]
    found = [inner_set for inner in folder.folders.values() for inner_set in _sets_in(inner)]
    return [folder] if any(split_of(inner_set.name) for inner_set in found) else found


def _set_above(path: Path) -> Path | None:
    """Return the folder whose sub-folders, this one among them, hold images as classes do; None where there is none."""
    own = path.resolve()
    around = own.parent
    try:
        beside = (inner for inner in around.iterdir() if inner != own and inner.is_dir() and inner.name[0] != ".")
        has_more = any(map(image_files, beside))
    except (OSError, InputError):
        return None
    above = around.parent if split_of(around.name) else around
    return above if has_more else None


def _source_split(members: Members, part: _ClassFiles, labels: tuple[str, ...]) -> SourceSplit:
    files = [(file, number) for number, label in enumerate(labels) for file in part.images.get(label, ())]
    names = [file for file, _ in files]
    return SourceSplit(members.images(names), np.array([number for _, number in files], np.int64), names)


def _findings(
    members: Members, root: FolderTree, parts: Mapping[str, FolderTree], found: Mapping[str, _ClassFiles]
) -> tuple[Finding, ...]:
    beside = " and ".join(sorted(folder.name for folder in parts.values()))
    has_splits = root not in parts.values()
    folders = [str(folder.path) for folder in root.folders.values() if has_splits and folder not in parts.values()]
    other_splits = _splits_beside(members.path) if split_of(members.path.resolve().name) else []
    found_by_kind = {
        (FindingKind.LEFT_OUT, "files that are no images by their suffix are left out"): [
            file for part in found.values() for file in part.others
        ],
        (FindingKind.FILE_WITHOUT_LABEL, "images outside the class folders have no label and are left out"): [
            file for part in found.values() for file in part.unlabelled
        ],
        (FindingKind.LEFT_OUT, f"folders beside {beside} are left out"): folders,
        (
            FindingKind.LEFT_OUT,
            f"splits beside {members.path} are not read; give the folder above",
        ): other_splits,
    }
    return tuple(Finding(kind, text, files) for (kind, text), files in found_by_kind.items() if files)


def _splits_beside(path: Path) -> list[str]:
    """Return the names of the folders beside a split that hold other splits."""
    own = path.resolve()
    with contextlib.suppress(OSError):
        return sorted(inner.name for inner in own.parent.iterdir() if inner != own and split_of(inner.name))
    return []
