"""Whether a model that others trained sees labelled images better when they are resized otherwise than assumed.

A comparison with the float model cannot show it: both sides see the same pixels.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.manifest import InputSpec, Interpolation, Resize
from edgecnn_training.data.calibration_images import Predict, UserCalibrationImages

# What training code does in place of what is assumed: Keras' loaders and layers, its older ImageDataGenerator, a crop.
_OTHERS = (
    ImageFit(interpolation=Interpolation.BILINEAR_NO_ANTIALIAS),
    ImageFit(interpolation=Interpolation.NEAREST),
    ImageFit(resize=Resize.CROP),
)
# Images that are tried, each in all ways.
_TRIED = 100
# Standard deviations by which more images must become right than wrong: of 100 pairs of coins, one in 700.
_CLEARLY = 3.0


def better_fit(images: UserCalibrationImages, spec: InputSpec, predict: Predict, *, said: ImageFit) -> str | None:
    """Say which way to fit images gives clearly more right answers; None where none does, or nobody can know.

    Args:
        images: labelled, or nothing is known.
        spec: the input, as it is said and assumed.
        predict: of the float model.
        said: what the user said, which is not doubted.
    """
    if not images.labelled:
        return None
    pixels, labels = images.labelled_sample(spec, _TRIED)
    right = _right(predict, pixels, labels)
    best, gained = None, right
    for other in _OTHERS:
        name, value = next((name, value) for name, value in vars(other).items() if value is not None)
        if getattr(said, name) is not None:
            continue
        resized, labels = images.labelled_sample(other.applied_to(spec), _TRIED)
        if np.array_equal(resized, pixels):
            continue
        found = _right(predict, resized, labels)
        better, worse = int((found & ~right).sum()), int((right & ~found).sum())
        if better - worse > _CLEARLY * math.sqrt(better + worse) and found.sum() > gained.sum():
            best, gained = f"--{name} {value}", found
    if best is None:
        return None
    return (
        f"{right.mean():.1%} of {len(right)} labelled images are right as they are assumed to be resized, and "
        f"{gained.mean():.1%} with {best}: add {best} if the model was trained so"
    ).replace("%", " %")


def _right(predict: Predict, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(predict(pixels).argmax(axis=1) == labels)
