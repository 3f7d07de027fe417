"""The sign digits of the notebook "CNN, sign language digits": two HDF5 files of a Coursera exercise."""

import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, MissingExtraError
from edgecnn_training.data.readers.members import opened_members
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.untrusted import MAX_BYTES, damage_as_data_error

SIZE = 64
LABELS = tuple("012345")
LAYOUT = "a folder or zip that holds train_signs.h5 and test_signs.h5"

_FILES = {"train": "train_signs.h5", "test": "test_signs.h5"}
_CLASSES = "list_classes"

# Labels of many more images than MAX_BYTES holds.
_MAX_LABEL_BYTES = 1 << 20


def read_signs(path: Path) -> RawImageSet:
    """Read the two HDF5 files, with the keys that the notebook reads.

    `<split>_set_x` uint8 `(N, 64, 64, 3)`, `<split>_set_y` integers `(N,)` or `(1, N)`, `list_classes` 0…5.

    Raises:
        DataError: missing, damaged, or with other keys, shapes or labels.
        MissingExtraError: h5py is not installed.
    """
    splits = {}
    with opened_members(path, layout=LAYOUT) as members:
        for split, name in _FILES.items():
            member = members.find((name,))
            if member is None:
                raise DataError(f"{path}: expected {LAYOUT}, got no {name}")
            with members.open(member) as file:
                splits[split] = _read_split(file, split, described=members.describe(member), name=name)
    return RawImageSet(LABELS, splits)


def _read_split(file: BinaryIO, split: str, *, described: str, name: str) -> SourceSplit:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("the image set signs", package="h5py", extra="train") from error
    keys = images_key, labels_key, _ = f"{split}_set_x", f"{split}_set_y", _CLASSES
    # h5py raises KeyError where what a name points to is damaged.
    try:
        with damage_as_data_error(described), h5py.File(file, "r") as content:
            missing = [key for key in keys if key not in content]
            if missing:
                raise DataError(
                    f"{described}: expected the keys {', '.join(keys)}, got {', '.join(sorted(content)[:8]) or 'none'}"
                )
            images, labels, classes = (
                _array(content[key], name=f"{described} {key}", most=most)
                for key, most in zip(keys, (MAX_BYTES, _MAX_LABEL_BYTES, _MAX_LABEL_BYTES), strict=True)
            )
    except KeyError as error:
        raise DataError(f"{described}: expected an HDF5 file, got a damaged one ({error}); fetch it again") from error
    labels = labels[0] if labels.ndim == 2 and len(labels) == 1 else labels
    if images.dtype != np.uint8 or images.shape[1:] != (SIZE, SIZE, 3):
        raise DataError(
            f"{described} {images_key}: expected uint8 images (N, {SIZE}, {SIZE}, 3), got {images.dtype} {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or not len(images):
        raise DataError(
            f"{described} {labels_key}: expected an integer for each of {len(images):,} images, "
            f"got {labels.dtype} {labels.shape}"
        )
    if classes.tolist() != list(range(len(LABELS))):
        raise DataError(f"{described} {_CLASSES}: expected the digits {', '.join(LABELS)}, got {classes.tolist()[:10]}")
    outside = (labels < 0) | (labels >= len(LABELS))
    if outside.any():
        index = int(outside.argmax())
        raise DataError(
            f"{described} {labels_key}: expected labels 0…{len(LABELS) - 1}, got {labels[index]} at position {index:,}"
        )
    return SourceSplit(images, labels.astype(np.int64), [f"{name} {position}" for position in range(len(images))])


def _array(dataset: Any, *, name: str, most: int) -> NDArray[Any]:
    """Read an HDF5 array of at most so many bytes; its size, as its header claims it, is checked first."""
    shape, dtype = getattr(dataset, "shape", None), getattr(dataset, "dtype", None)
    if not shape or dtype is None or dtype.kind not in "iu":
        raise DataError(f"{name}: expected an array of integers, got {'a group' if dtype is None else dtype}")
    # A chunk is unpacked whole, however little of it the array shows.
    claimed = max(dataset.nbytes, math.prod(dataset.chunks or ()) * dtype.itemsize)
    if claimed > most:
        raise DataError(f"{name}: expected at most {most:,} bytes, its header claims {claimed:,}; fetch the file again")
    return np.asarray(dataset[()])
