"""A folder with one sub-folder a class, with or without a level of `train`, `valid` and `test` folders above it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.sources import IMAGE_SUFFIXES
from edgecnn_runtime.stratify import stratified_sample
from edgecnn_training.data.finding import Finding, Kind
from edgecnn_training.data.grouped_split import grouped_sample
from edgecnn_training.data.source import Source, SourceSplit
from edgecnn_training.data.split_names import SPLITS, TEST, TRAIN, split_of

LAYOUT = "a folder with one sub-folder a class, or with folders train, valid (optional) and test of such sub-folders"


@dataclass(frozen=True)
class Holdout:
    """Which images become the test split where the source has none: a stratified share of the training images."""

    fraction: float = 0.2
    seed: int = 0
    # Whether near-identical images go to one side together; every image is then read once more.
    group_near_duplicates: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise DataError(f"test fraction: a value between 0 and 1 expected, got {self.fraction:g}")


def read_class_folders(root: Path, *, holdout: Holdout | None = None) -> Source:
    """Read class folders; the labels are the folders' names in natural order (class2 before class10).

    A split level is told by a folder `train` (or `training`) that itself has sub-folders. Within a class, sub-folders
    are read too. Images are told by suffix; hidden files are passed over without a word, all else with a warning.

    Args:
        root: the folder, or one that holds nothing but it, as archives often unpack.
        holdout: what to take for testing where there is no test folder; default `Holdout()`.

    Raises:
        DataError: no such folder, no image, fewer than two classes, or a class without images to train on.
    """
    root = _descend(_checked_folder(root))
    parts = _split_folders(root)
    found = {split: _ClassFiles.of(folder) for split, folder in parts.items()}
    labels = tuple(sorted({label for part in found.values() for label in part.images}, key=natural_order))
    _check_classes(root, parts, labels, found)
    splits = {split: _source_split(root, part, labels) for split, part in found.items()}
    if TEST not in splits:
        training, test = _divide(splits[TRAIN], labels, holdout or Holdout(), root)
        splits = {**splits, TRAIN: training, TEST: test}
    elif holdout is not None and holdout.group_near_duplicates:
        raise DataError(
            f"{root}: --group-near-duplicates only where the test images are chosen by edgecnn expected, got a folder "
            f"{parts[TEST].name}; 'edgecnn data check' shows what it shares with the training images"
        )
    return Source(
        labels=labels,
        splits={split: splits[split] for split in SPLITS if split in splits},
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


def has_class_folders(folder: Path) -> bool:
    """Tell whether a folder has sub-folders at all, so that it may be read as class folders."""
    return folder.is_dir() and bool(_sub_folders(folder))


@dataclass(frozen=True)
class _ClassFiles:
    """The files of one folder of class folders."""

    images: Mapping[str, Sequence[Path]]  # by class
    others: Sequence[Path]  # in class folders, but no images by their suffix
    unlabelled: Sequence[Path]  # images beside the class folders

    @classmethod
    def of(cls, folder: Path) -> "_ClassFiles":
        images, others = {}, []
        for class_folder in _sub_folders(folder):
            files = _visible_files(class_folder)
            images[class_folder.name] = [path for path in files if _is_image(path)]
            others += [path for path in files if not _is_image(path)]
        unlabelled = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_image(path)]
        return cls(images, others, [path for path in unlabelled if not path.name.startswith(".")])


def _checked_folder(root: Path) -> Path:
    if not root.exists():
        raise DataError(f"{root}: {LAYOUT} expected, no such folder")
    if not root.is_dir():
        raise DataError(f"{root}: {LAYOUT} expected, got a file")
    return root


def _descend(root: Path) -> Path:
    """Enter a folder that holds nothing but another one with sub-folders."""
    while True:
        inner = _sub_folders(root)
        if len(inner) != 1 or not _sub_folders(inner[0]) or any(map(_is_image, inner[0].iterdir())):
            return root
        root = inner[0]


def _split_folders(root: Path) -> dict[str, Path]:
    """Return the folder of class folders of each split; `root` itself is the training split if there is no level."""
    named = [(split, path) for path in _sub_folders(root) if (split := split_of(path.name)) is not None]
    if not any(split == TRAIN and _sub_folders(path) for split, path in named):
        return {TRAIN: root}
    folders: dict[str, Path] = {}
    for split, path in named:
        if split in folders:
            raise DataError(
                f"{root}: one {split} folder expected, got {folders[split].name} and {path.name}; rename one"
            )
        folders[split] = path
    return folders


def _check_classes(
    root: Path, parts: Mapping[str, Path], labels: tuple[str, ...], found: Mapping[str, _ClassFiles]
) -> None:
    if not labels:
        raise DataError(f"{root}: {LAYOUT} expected, got no sub-folder; put the images of each class into a folder")
    if not any(images for part in found.values() for images in part.images.values()):
        raise DataError(
            f"{root}: image files in the class folders expected, got none; "
            f"an image is told by its suffix ({', '.join(sorted(IMAGE_SUFFIXES))})"
        )
    if len(labels) < 2:
        raise DataError(
            f"{root}: at least two class folders expected, got only {labels[0]}; "
            "name the folder that holds one sub-folder a class"
        )
    empty = [label for label in labels if not found[TRAIN].images.get(label)]
    if empty:
        raise DataError(
            f"{parts[TRAIN]}: images in every class folder expected, got none of {', '.join(empty)}; "
            "add images, or remove the folder"
        )
    for label in labels:
        if not label.isprintable():
            raise DataError(f"{root}: class folders with printable names expected, got {label!r}; rename it")


def _source_split(root: Path, part: _ClassFiles, labels: tuple[str, ...]) -> SourceSplit:
    files = [(path, number) for number, label in enumerate(labels) for path in part.images.get(label, ())]
    return SourceSplit(
        images=[path for path, _ in files],
        labels=np.array([number for _, number in files], np.int64),
        files=[path.relative_to(root).as_posix() for path, _ in files],
    )


def _divide(
    split: SourceSplit, labels: tuple[str, ...], holdout: Holdout, root: Path
) -> tuple[SourceSplit, SourceSplit]:
    """Take the test images out of a split."""
    if holdout.group_near_duplicates:
        test = grouped_sample(split, labels, holdout.fraction, seed=holdout.seed)
    else:
        test = stratified_sample(split.labels, round(len(split) * holdout.fraction), seed=holdout.seed)
    in_test = np.zeros(len(split), bool)
    in_test[test] = True
    if not len(test) or set(split.labels[~in_test]) != set(split.labels):
        raise DataError(
            f"{root}: enough images to keep {holdout.fraction:.0%} of each class for testing expected, "
            f"got {len(split)} in all; add images, or a folder test beside a folder train"
        )
    return _chosen(split, ~in_test), _chosen(split, in_test)


def _chosen(split: SourceSplit, mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> SourceSplit:
    images = list(split.images)
    positions = np.flatnonzero(mask).tolist()
    return SourceSplit(
        images=[images[position] for position in positions],
        labels=split.labels[mask],
        files=[split.files[position] for position in positions],
    )


def _findings(root: Path, parts: Mapping[str, Path], found: Mapping[str, _ClassFiles]) -> tuple[Finding, ...]:
    beside = " and ".join(sorted(path.name for path in parts.values()))
    strangers = [] if root in parts.values() else [path for path in _sub_folders(root) if path not in parts.values()]
    left_out = {
        (Kind.LEFT_OUT, "files that are no images by their suffix are left out"): [
            path for part in found.values() for path in part.others
        ],
        (Kind.FILE_WITHOUT_LABEL, "images outside the class folders have no label and are left out"): [
            path for part in found.values() for path in part.unlabelled
        ],
        (Kind.LEFT_OUT, f"folders beside {beside} are left out"): strangers,
    }
    return tuple(
        Finding(kind, text, [path.relative_to(root).as_posix() for path in paths])
        for (kind, text), paths in left_out.items()
        if paths
    )


def _sub_folders(folder: Path) -> list[Path]:
    """List the visible sub-folders; `__MACOSX` is what a Mac adds to archives."""
    return sorted(
        path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "__MACOSX"
    )


def _visible_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES
