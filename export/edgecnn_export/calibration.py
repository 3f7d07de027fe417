"""The calibration images: stratified, seeded, from the training split only."""

import enum
import hashlib

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_runtime.image_set import ImageSet
from edgecnn_runtime.manifest import Calibration
from edgecnn_runtime.stratify import stratified_sample

# Taken where no number is asked for; TensorFlow's guide to post-training quantization suggests 100 to 500.
USUAL_IMAGES = 200


class CalibrationMethod(enum.StrEnum):
    """Which part of the values seen an integer file can show; what lies outside is clipped."""

    MINMAX = "minmax"  # all of them
    PERCENTILE = "percentile"  # all but the outermost of ten thousand
    ENTROPY = "entropy"  # those that keep most of the distribution's information (Kullback-Leibler)


def choose_calibration(image_set: ImageSet, *, images: int | None, seed: int) -> tuple[NDArray[np.uint8], Calibration]:
    """Choose calibration images from the training split.

    Args:
        image_set: a prepared set with a split `train`.
        images: how many; None: `USUAL_IMAGES`, or all there are.
        seed: of the choice.

    Returns:
        uint8 `(images, height, width, channels)`, 0…255, and the record for the manifest, whose fingerprint is the
        SHA-256 of the pixels.

    Raises:
        DataError: there are fewer training images than asked for, or none was asked for.
    """
    train = image_set.split("train")
    if images is None:
        images = min(USUAL_IMAGES, len(train))
    if not 1 <= images <= len(train):
        raise DataError(
            f"calibration: 1…{len(train)} images expected (the training split of {image_set.name}), got {images}"
        )
    chosen = np.ascontiguousarray(train.images[stratified_sample(train.labels, images, seed=seed)])
    return chosen, Calibration(images, seed, hashlib.sha256(chosen.data).hexdigest())
