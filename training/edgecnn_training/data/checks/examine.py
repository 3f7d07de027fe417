"""Look at every image of a source once: can it be read, how large is it, what is in it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.image_files import opened_image, read_image_file
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.readers.source import RawImageSet

# The grey thumbnail by which near-identical images are found; large enough to distinguish two parts of one make.
THUMBNAIL = InputSpec(64, 64, Colour.GREY)

# Images between two reports.
_REPORT_EVERY = 256


@dataclass(frozen=True, slots=True)
class Looks:
    """What one image that can be read looks like."""

    width: int
    height: int
    mode: str  # as Pillow calls it: L, RGB, RGBA, P, …
    digest: bytes  # of the file, or of the pixels where the source holds no files


@dataclass(frozen=True)
class Examined:
    """The images of one split that can be read, and the others."""

    files: list[str]
    labels: NDArray[np.int64]  # (N,)
    looks: list[Looks]
    thumbnails: NDArray[np.uint8]  # (N, 64, 64)
    unreadable: list[str]  # file and reason


def examine(source: RawImageSet, *, report: Callable[[int, int, str], None] | None = None) -> dict[str, Examined]:
    """Read every image of a source, on all cores.

    Args:
        source: what is read.
        report: called regularly with the images done, those of the whole set and the name of the split.
    """
    examined = {}
    done = 0
    for name, split in source.splits.items():
        files, numbers, looks, thumbnails, unreadable = [], [], [], [], []
        for position, (file, outcome) in enumerate(
            zip(split.files, map_images(_look_at, split.images), strict=True), start=1
        ):
            if report and position % _REPORT_EVERY == 0:
                report(done + position, len(source), name)
            if isinstance(outcome, str):
                unreadable.append(f"{file}: {outcome}")
                continue
            files.append(file)
            numbers.append(split.labels[position - 1])
            looks.append(outcome[0])
            thumbnails.append(outcome[1])
        done += len(split)
        if report:
            report(done, len(source), name)
        stacked = np.stack(thumbnails) if thumbnails else np.empty((0, *THUMBNAIL.shape), np.uint8)
        examined[name] = Examined(files, np.array(numbers, np.int64), looks, stacked[..., 0], unreadable)
    return examined


def _look_at(image: ImageSource) -> tuple[Looks, NDArray[np.uint8]] | str:
    """Return what an image looks like and its thumbnail, or why it cannot be read."""
    try:
        if isinstance(image, np.ndarray):
            height, width, channels = image.shape
            digest = hashlib.sha256(np.ascontiguousarray(image).data).digest()
            return Looks(width, height, "L" if channels == 1 else "RGB", digest), read_image(image, THUMBNAIL)
        content = image if isinstance(image, bytes) else read_image_file(Path(str(image)))
        # First, because it turns down what is harmful or no image.
        thumbnail = read_image(content, THUMBNAIL)
        with opened_image(content) as opened:
            return Looks(opened.width, opened.height, opened.mode, hashlib.sha256(content).digest()), thumbnail
    except ImageError as error:
        return str(error).removeprefix(f"{image}: " if isinstance(image, Path) else "").removeprefix("image: ")
