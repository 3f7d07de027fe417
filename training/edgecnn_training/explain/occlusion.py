"""What decided the class: cover a part of the image, and see how much the model is less sure of it.

M. D. Zeiler and R. Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014, section 4.2. It needs
no gradients, so it works for every model file, int8 ones too. It is measured in log-odds, ln(p / (1 - p)): where a
model is sure, the probability itself hardly moves (0.99999 -> 0.999), and the odds show what it leant on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# A patch is this share of the shorter side, and moves by a third of itself.
_PATCH_SHARE = 1 / 6
# Covered images at once.
_BATCH = 64

# What all other classes have at least between them; quantized outputs have exact zeros.
_SMALLEST_PROBABILITY = 1e-9


@dataclass(frozen=True, eq=False)
class Occlusion:
    """How much the log-odds of a class fall where the image is covered."""

    # float32 (height, width), nats: the mean over the patches that covered a pixel; below 0 the odds rose.
    drop: NDArray[np.float32]
    patch: int  # px, the side of the patch
    stride: int
    fill: tuple[int, ...]  # its colour
    # Whether any patch costs anything. A quantized file that is sure of a class may not be moved by any.
    moved: bool
    top: int  # of the patch that costs most
    left: int
    left_over: float  # 0…1, the probability of the class with that patch


def occlude(
    probabilities: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    pixels: NDArray[np.uint8],
    number: int,
    *,
    patch: int | None = None,
) -> Occlusion:
    """Slide a patch over an image and note what it costs.

    The patch has the median colour of the image: black on a digit's ground, grey on a casting, so that it takes
    something away and adds little.

    Args:
        probabilities: uint8 `(N, height, width, channels)` -> float32 `(N, classes)`.
        pixels: uint8 `(height, width, channels)`.
        number: the class that is explained.
        patch: its side in px; default: a sixth of the shorter side of the image.
    """
    height, width, _ = pixels.shape
    side = patch or max(1, round(min(height, width) * _PATCH_SHARE))
    stride = max(1, side // 3)
    fill = np.median(pixels, axis=(0, 1)).astype(np.uint8)
    places = [(top, left) for top in _starts(height, side, stride) for left in _starts(width, side, stride)]
    before = _log_odds(probabilities(pixels[np.newaxis]), number)[0]
    drops, after = np.empty(len(places)), np.empty(len(places))
    for start in range(0, len(places), _BATCH):
        chosen = places[start : start + _BATCH]
        covered = np.repeat(pixels[np.newaxis], len(chosen), axis=0)
        for image, (top, left) in zip(covered, chosen, strict=True):
            image[top : top + side, left : left + side] = fill
        answers = probabilities(covered)
        drops[start : start + len(chosen)] = before - _log_odds(answers, number)
        after[start : start + len(chosen)] = answers[:, number]
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for (top, left), drop in zip(places, drops, strict=True):
        total[top : top + side, left : left + side] += drop
        times[top : top + side, left : left + side] += 1
    worst = int(drops.argmax())
    return Occlusion(
        drop=(total / times).astype(np.float32),
        patch=side,
        stride=stride,
        fill=tuple(int(value) for value in fill),
        moved=bool(drops[worst] > 0),
        top=places[worst][0],
        left=places[worst][1],
        left_over=float(after[worst]),
    )


def _log_odds(probabilities: NDArray[np.float32], number: int) -> NDArray[np.float64]:
    """Return ln(p / (1 - p)) of a class, `(N,)`; 1 - p is added up from the others, as small as they may be.

    >>> _log_odds(np.array([[0.5, 0.25, 0.25]], np.float32), 0)
    array([0.])
    """
    others = np.delete(probabilities, number, axis=1).astype(np.float64).sum(axis=1)
    own = probabilities[:, number].astype(np.float64)
    odds: NDArray[np.float64] = np.log(
        np.maximum(own, _SMALLEST_PROBABILITY) / np.maximum(others, _SMALLEST_PROBABILITY)
    )
    return odds


def _starts(length: int, patch: int, stride: int) -> list[int]:
    """Return where patches begin so that every pixel is covered, the last at the very end.

    >>> _starts(10, 4, 3), _starts(11, 4, 3), _starts(3, 4, 2)
    ([0, 3, 6], [0, 3, 6, 7], [0])
    """
    last = max(0, length - patch)
    return sorted({*range(0, last + 1, stride), last})
