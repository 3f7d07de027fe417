"""What is known of a set before it is prepared: how many images of each class, how large, in which colours."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.image_files import opened_image, read_image_file
from edgecnn_runtime.manifest import Colour, InputSpec
from edgecnn_runtime.preprocess import ImageSource, read_image
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_training.data.decode import map_images
from edgecnn_training.data.readers.source import RawImageSet
from edgecnn_training.data.readers.split_names import TEST

# The least side at which networks learn here: four poolings leave two pixels of it.
LEAST_SIDE = 24
# Images that are opened to see how large they are, and what is looked at of each for colours.
_SAMPLE = 64
_COLOURS = InputSpec(32, 32, Colour.RGB)
# Levels of 255 that the channels of a grey image differ by at most: JPEG's rounding.
_GREY = 3


@dataclass(frozen=True)
class SetLooks:
    """The facts that a plan is made from."""

    counts: tuple[int, ...]  # images to train on, validation included, by class number
    side: int  # the shorter side of the images in pixels, the median of some
    is_grey: bool  # whether none of them shows a colour
    tests: bool  # whether images to test on came with the set
    fixed: tuple[int, int, int] | None = None  # of a prepared set, its (height, width, channels)

    @property
    def images(self) -> int:
        """How many images there are to train on."""
        return sum(self.counts)

    @property
    def unevenness(self) -> float:
        """How many times as many images the largest class has as the smallest, at least 1."""
        return max(self.counts) / max(1, min(self.counts))


def look_at_source(source: RawImageSet) -> SetLooks:
    """Look at a user's own images, of which a test split may have been taken already."""
    splits = [split for name, split in source.splits.items() if name != TEST or source.test_held_out]
    sides, grey = [], True
    for split in splits:
        for outcome in map_images(_look_at, islice(_spread(split.images, len(split)), _SAMPLE)):
            if outcome is not None:
                sides.append(outcome[0])
                grey = grey and outcome[1]
    labels = np.concatenate([split.labels for split in splits])
    return SetLooks(
        counts=_counts(labels, len(source.labels)),
        side=int(np.median(sides)) if sides else 0,
        is_grey=grey,
        tests=TEST in source.splits and not source.test_held_out,
    )


def look_at_set(image_set: ImageSet) -> SetLooks:
    """Look at a prepared set, whose images have their size."""
    splits = [split for name, split in image_set.splits.items() if name != TEST or image_set.test_held_out]
    shape = image_set.input.shape
    return SetLooks(
        counts=_counts(np.concatenate([split.labels for split in splits]), len(image_set.labels)),
        side=min(shape[:2]),
        is_grey=shape[-1] == 1,
        tests=not image_set.test_held_out,
        fixed=shape,
    )


def usual_shape(looks: SetLooks, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the shape at which a network of any size learns these images: its usual one, or theirs if smaller.

    To enlarge images shows a network nothing new, and four times the pixels take four times as long.

    >>> usual_shape(SetLooks(counts=(5, 5), side=28, is_grey=True, tests=False), (96, 96, 3))
    (28, 28, 3)
    """
    side = max(LEAST_SIDE, min(looks.side, *shape[:2]))
    return (side, side, shape[-1]) if side < min(shape[:2]) else shape


def _counts(labels: NDArray[np.int64], classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=classes).tolist())


def _spread(images: Iterable[ImageSource], count: int) -> Iterable[ImageSource]:
    """Yield some tens of the images, from all over the split, since one class follows another there."""
    step = max(1, count // _SAMPLE)
    return islice(images, 0, None, step)


def _look_at(image: ImageSource) -> tuple[int, bool] | None:
    """Return the shorter side of an image and whether it is grey; None where it cannot be read."""
    try:
        if isinstance(image, np.ndarray):
            side = min(image.shape[:2])
        else:
            image = image if isinstance(image, bytes) else read_image_file(str(image))
            with opened_image(image) as opened:
                side = min(opened.size)
        pixels = read_image(image, _COLOURS).astype(np.int16)
    except ImageError:
        return None
    return side, bool(np.ptp(pixels, axis=-1).max() <= _GREY)
