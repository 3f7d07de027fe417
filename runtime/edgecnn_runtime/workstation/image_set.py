"""Image sets: the reader of prepared sets, and of a plain folder with one sub-folder a class.

A prepared set is a folder of arrays that `edgecnn data prepare` writes: each image has gone once through
`read_image`, so training, export and benchmark read the same bytes and never decode again.

    dataset.json            labels in order, input, counts, fingerprint, source, licence, warnings, copies
    <split>.images.npy      uint8 (N, height, width, channels), memory-mapped
    <split>.labels.npy      int64 (N,)
    <split>.files.txt       where each image came from, one line each
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, ImageError
from edgecnn_runtime.json_dataclasses import read_dataclass, read_object
from edgecnn_runtime.manifest import InputSpec
from edgecnn_runtime.preprocess import read_image
from edgecnn_runtime.sources import image_files
from edgecnn_runtime.system.file_kinds import check_ends, read_file

DATASET_FILE = "dataset.json"


@dataclass(frozen=True)
class Split:
    """The images of one split, with their class numbers and origins."""

    images: NDArray[np.uint8]  # (N, height, width, channels), usually memory-mapped
    labels: NDArray[np.int64]  # (N,)
    files: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class ImageSet:
    """Labelled images in splits (`train`, `test`, …)."""

    name: str
    labels: tuple[str, ...]
    input: InputSpec
    splits: Mapping[str, Split]
    fingerprint: str
    source: str
    # Of a known set, the path that `source` tells of.
    read_from: str | None = None
    licence: str | None = None
    warnings: tuple[str, ...] = field(default=())
    folder: Path | None = None
    # By split, the positions of the images that are (nearly) identical to a training image.
    copies: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    # Whether the images came without labels: each has the class that a float model named, the one they were prepared
    # for. What agrees with such labels agrees with that model, and may still be wrong.
    labelled_by_model: bool = False
    # Whether edgecnn took the split `test` from the training images; else it came with the images.
    test_held_out: bool = False

    def split(self, name: str) -> Split:
        """Return one split.

        Raises:
            DataError: there is no such split.
        """
        if name not in self.splits:
            raise DataError(f"{self.name}: expected a split {name!r}, got only {', '.join(self.splits)}")
        return self.splits[name]


def fingerprint(labels: tuple[str, ...], splits: Mapping[str, Split]) -> str:
    """Hash class names, pixels and class numbers, so that two sets can be distinguished: SHA-256, hex."""
    digest = hashlib.sha256(json.dumps(labels, ensure_ascii=False).encode())
    for name in sorted(splits):
        split = splits[name]
        digest.update(f"{name} {split.images.shape}".encode())
        # In blocks, so that a memory-mapped set larger than memory can be hashed.
        for start in range(0, len(split), 4096):
            digest.update(np.ascontiguousarray(split.images[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(split.labels, np.int64).data)
    return digest.hexdigest()


def open_prepared(folder: Path) -> ImageSet:
    """Open a prepared set; its pixels stay on disk until they are read.

    Raises:
        DataError: not a prepared set, or one that is damaged.
    """
    path = folder / DATASET_FILE
    try:
        document = read_object(path, name=DATASET_FILE)
        description = read_dataclass(ImageSet, {**document, "splits": {}}, name=DATASET_FILE)
        if not isinstance(document.get("splits"), dict):
            raise ValueError(f"{DATASET_FILE}: splits: expected an object, got none")
        splits = {name: _open_split(folder, name, len(description.labels)) for name in document["splits"]}
        _check_copies(description.copies, splits)
        return dataclasses.replace(description, splits=splits, folder=folder.resolve())
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: expected a prepared image set, got a folder without {Path(error.filename).name}; "
            "make one with 'edgecnn data prepare'"
        ) from None
    except DataError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{folder}: expected a whole prepared image set, got a damaged one ({error}); "
            "make it again with 'edgecnn data prepare'"
        ) from error


def describe(image_set: ImageSet) -> dict[str, Any]:
    """Return the content of `dataset.json`."""
    return {
        "name": image_set.name,
        "labels": list(image_set.labels),
        "input": dataclasses.asdict(image_set.input),
        "splits": {
            name: {
                "images": len(split),
                "per_class": np.bincount(split.labels, minlength=len(image_set.labels)).tolist(),
            }
            for name, split in image_set.splits.items()
        },
        "fingerprint": image_set.fingerprint,
        "source": image_set.source,
        "read_from": image_set.read_from,
        "licence": image_set.licence,
        "warnings": list(image_set.warnings),
        "copies": {name: list(positions) for name, positions in image_set.copies.items()},
        "labelled_by_model": image_set.labelled_by_model,
        "test_held_out": image_set.test_held_out,
    }


def _check_copies(copies: Mapping[str, tuple[int, ...]], splits: Mapping[str, Split]) -> None:
    for name, positions in copies.items():
        if name not in splits:
            raise ValueError(f"copies: expected positions in {', '.join(splits)}, got some in {name}")
        images = len(splits[name])
        if not all(0 <= position < images for position in positions):
            raise ValueError(f"copies: {name}: expected positions 0…{images - 1}, got {max(positions)}")


def open_labelled_folder(folder: Path, *, labels: tuple[str, ...], spec: InputSpec) -> Split:
    """Read a folder that has one sub-folder per class, named as the labels: a test set on a device.

    As everywhere, a class may have sub-folders, and hidden folders are none of the set.

    Raises:
        DataError: a sub-folder that is no label, or not one image.
        ImageError: an image that cannot be read; a test set must be whole.
    """
    entries = folder.iterdir() if folder.is_dir() else ()
    classes = sorted(path.name for path in entries if path.is_dir() and not path.name.startswith("."))
    unknown = [name for name in classes if name not in labels]
    if not classes or unknown:
        raise DataError(
            f"{folder}: expected sub-folders named after the labels ({', '.join(labels)}), "
            f"got {', '.join(unknown or classes) or 'none'}"
            + (f"; give one split alone, {folder / 'test'}" if (folder / "test").is_dir() else "")
        )
    files = [(path, labels.index(name)) for name in classes for path in image_files(folder / name, recursive=True)]
    if not files:
        raise DataError(f"{folder}: expected image files in the sub-folders, got none")
    try:
        images = np.stack([read_image(path, spec) for path, _ in files])
    except ImageError as error:
        raise DataError(f"{folder}: a test set must be whole; {error}") from error
    return Split(images, np.array([number for _, number in files]), tuple(str(path) for path, _ in files))


def _open_split(folder: Path, name: str, classes: int) -> Split:
    for part in ("images.npy", "labels.npy"):
        check_ends(folder / f"{name}.{part}")
    images = np.load(folder / f"{name}.images.npy", mmap_mode="r", allow_pickle=False)
    # Mapped first, too: of a file that is not there as its header claims, numpy would make as much in memory.
    labels = np.array(np.load(folder / f"{name}.labels.npy", mmap_mode="r", allow_pickle=False))
    files = tuple(read_file(folder / f"{name}.files.txt").decode("utf-8").splitlines())
    if not len(images) == len(labels) == len(files):
        raise DataError(
            f"{folder}: {name}: expected as many labels and file names as images, "
            f"got {len(images)} images, {len(labels)} labels, {len(files)} names"
        )
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise DataError(f"{folder}: {name}: expected class numbers 0…{classes - 1}, got {labels.max()}")
    return Split(images, labels, files)
