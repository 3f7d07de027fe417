"""One folder a class, in a folder or zip archive, with or without folders `train`, `valid` and `test` above them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.sources import IMAGE_SUFFIXES
from edgecnn_training.data.finding import Finding, FindingKind
from edgecnn_training.data.readers.folder_tree import FolderTree, is_image
from edgecnn_training.data.readers.members import Members, opened_members
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.split_names import SPLITS, TRAIN, split_of

LAYOUT = "a folder or zip with one sub-folder per class, or with folders train, valid (optional) and test of such ones"


def read_class_folders(path: Path) -> RawImageSet:
    """Read class folders; the labels are the folders' names in natural order (class2 before class10).

    A split level is recognized by a folder `train` (or `test`, `validation`, …) that itself has sub-folders; without
    one, all images are in the split `train`. Within a class, sub-folders are read too. Images are recognized by suffix.
    Hidden files are passed over without a word, all else with a finding.

    Args:
        path: the folder or zip, or one that holds nothing but it, as archives often unpack; a zip is read as it is.

    Raises:
        DataError: no such folder or zip, no sub-folder, or no image in one.
    """
    with opened_members(path, layout=LAYOUT) as members:
        root = _descend(FolderTree.of(members))
        parts = _split_folders(root, path)
        found = {split: _ClassFiles.of(folder) for split, folder in parts.items()}
        labels = tuple(sorted({label for part in found.values() for label in part.images}, key=natural_order))
        _check_images(members, labels, found)
        return RawImageSet(
            labels=labels,
            splits={split: _source_split(members, found[split], labels) for split in SPLITS if split in found},
            findings=_findings(root, parts, found),
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
        raise DataError(
            f"{members.path}: expected {LAYOUT}, got no sub-folder; put the images of each class into a folder{hint}"
        )
    if not any(images for part in found.values() for images in part.images.values()):
        raise DataError(
            f"{members.path}: expected image files in the class folders, got none; "
            f"an image is recognized by its suffix ({', '.join(sorted(IMAGE_SUFFIXES))}){hint}"
        )


def _source_split(members: Members, part: _ClassFiles, labels: tuple[str, ...]) -> SourceSplit:
    files = [(file, number) for number, label in enumerate(labels) for file in part.images.get(label, ())]
    names = [file for file, _ in files]
    return SourceSplit(members.images(names), np.array([number for _, number in files], np.int64), names)


def _findings(
    root: FolderTree, parts: Mapping[str, FolderTree], found: Mapping[str, _ClassFiles]
) -> tuple[Finding, ...]:
    beside = " and ".join(sorted(folder.name for folder in parts.values()))
    has_splits = root not in parts.values()
    folders = [str(folder.path) for folder in root.folders.values() if has_splits and folder not in parts.values()]
    found_by_kind = {
        (FindingKind.LEFT_OUT, "files that are no images by their suffix are left out"): [
            file for part in found.values() for file in part.others
        ],
        (FindingKind.FILE_WITHOUT_LABEL, "images outside the class folders have no label and are left out"): [
            file for part in found.values() for file in part.unlabelled
        ],
        (FindingKind.LEFT_OUT, f"folders beside {beside} are left out"): folders,
    }
    return tuple(Finding(kind, text, files) for (kind, text), files in found_by_kind.items() if files)
