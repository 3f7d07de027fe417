"""Resize without Pillow's filters: as TensorFlow, Keras' loaders and TFLite do, in exact integers.

Pillow's `resize` smooths before it shrinks (antialiasing); `tf.image.resize` does not, unless it is asked to. A network
that was trained on one sees other textures through the other. Each output pixel is a sum of source pixels with integer
weights, rounded once to the nearest integer (a half to the even one), so that every CPU gives the same bytes.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.manifest import Interpolation

if TYPE_CHECKING:
    from PIL.Image import Image

# Pixels of the source, and of the result, that are worked on at a time.
_STRIP_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class _Taps:
    """Along one axis, which source pixels make an output pixel: `sum(weights * source[places]) / total`."""

    places: NDArray[np.int64]  # (outputs, taps)
    weights: NDArray[np.int64]  # (outputs, taps)
    total: int


def resample(
    image: "Image", size: tuple[int, int], interpolation: Interpolation, *, corner: tuple[int, int] = (0, 0),
    whole: tuple[int, int] | None = None,
) -> NDArray[np.uint8]:  # fmt: skip
    """Resize an image, or make a part of the resized image.

    Args:
        image: of mode L or RGB.
        size: width and height of the result.
        interpolation: one that Pillow does not have.
        corner: column and row of the resized image where the result begins.
        whole: width and height of the resized image; default: `size`.

    Returns:
        uint8 `(height, width)` or `(height, width, 3)`.
    """
    width, height = size
    across, down = whole or size
    columns = _taps(interpolation, image.width, across, corner[0], width)
    rows = _taps(interpolation, image.height, down, corner[1], height)
    left, right = int(columns.places.min()), int(columns.places.max()) + 1
    result = np.empty((height, width, 3) if image.mode == "RGB" else (height, width), np.uint8)
    step = max(1, min(_STRIP_PIXELS * down // (image.width * image.height), _STRIP_PIXELS // max(width, right - left)))
    for start in range(0, height, step):
        places, weights = rows.places[start : start + step], rows.weights[start : start + step]
        top = int(places.min())
        strip = np.asarray(image.crop((left, top, right, int(places.max()) + 1)))
        # 32 bits, which are faster, hold 255 times the sum of the weights, but for a part of a very long strip.
        narrow = np.int32 if rows.total < 1 << 23 else np.int64
        mixed = _mixed(strip, _Taps(places - top, weights, rows.total), narrow)
        mixed = _mixed(mixed.swapaxes(0, 1), _Taps(columns.places - left, columns.weights, columns.total), np.int64)
        # Exact: the sums are below 2**53.
        result[start : start + step] = np.rint(mixed.swapaxes(0, 1) / (rows.total * columns.total))
    return result


def _mixed(pixels: NDArray[np.integer], taps: _Taps, dtype: type[np.integer]) -> NDArray[np.integer]:
    """Weigh along the first axis."""
    shape = (-1,) + (1,) * (pixels.ndim - 1)
    mixed = np.zeros((len(taps.places), *pixels.shape[1:]), dtype)
    for places, weights in zip(taps.places.T, taps.weights.T.astype(dtype), strict=True):
        mixed += weights.reshape(shape) * pixels[places]
    return mixed


def _taps(interpolation: Interpolation, source: int, target: int, first: int, count: int) -> _Taps:
    """Weigh for the outputs `first … first + count` of `target`, all of which span `source` pixels."""
    outputs = np.arange(first, first + count, dtype=np.int64)
    if interpolation is Interpolation.NEAREST:
        # The pixel in which the middle of the output lies: (output + 1/2) * source / target.
        return _Taps(((2 * outputs + 1) * source // (2 * target))[:, np.newaxis], np.ones((count, 1), np.int64), 1)
    if interpolation is Interpolation.BILINEAR_NO_ANTIALIAS:
        # The same middle, between the middles of two pixels; at the border, the last one.
        lower, share = np.divmod((2 * outputs + 1) * source - target, 2 * target)
        places = np.stack([lower, lower + 1], axis=1).clip(0, source - 1)
        return _Taps(places, np.stack([2 * target - share, share], axis=1), 2 * target)
    # Area: how much of each pixel the output covers, in parts of 1 / target.
    begin, end = outputs * source, (outputs + 1) * source
    places = (begin // target)[:, np.newaxis] + np.arange(-(-source // target) + 1)
    covered = np.minimum(end[:, np.newaxis], (places + 1) * target) - np.maximum(begin[:, np.newaxis], places * target)
    return _Taps(places.clip(0, source - 1), covered.clip(0), source)
