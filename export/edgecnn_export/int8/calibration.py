"""The calibration images: stratified, seeded, from the training split only."""

import enum
import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.choices import choose
from edgecnn_runtime.errors import DataError
from edgecnn_runtime.manifest import Calibration
from edgecnn_runtime.workstation.division import Portion

# Taken where no number is asked for; TensorFlow's guide to post-training quantization suggests 100 to 500.
USUAL_IMAGES = 200


class CalibrationMethod(enum.StrEnum):
    """Which part of the values seen an integer file can show; what lies outside is clipped."""

    MINMAX = "minmax"  # all of them
    PERCENTILE = "percentile"  # all but the outermost of ten thousand
    ENTROPY = "entropy"  # those that keep most of the distribution's information (Kullback-Leibler)


def calibration_method(name: str) -> CalibrationMethod:
    """Return the method that a user named.

    Raises:
        InputError: there is none of that name.
    """
    return choose(CalibrationMethod, "calibration", name)


@dataclass(frozen=True)
class CalibrationImages:
    """The images, and what the manifest says of them."""

    images: NDArray[np.uint8]  # (N, height, width, channels), 0…255
    record: Calibration

    def by(self, method: CalibrationMethod) -> tuple[str, Calibration]:
        """Return the name of plain int8 calibrated by a method, and what the manifest says of it."""
        return f"int8, {method}, {len(self.images)} images", replace(self.record, method=str(method))


def choose_calibration(training: Portion, *, images: int | None, seed: int) -> CalibrationImages:
    """Choose calibration images from those that a model was trained on.

    Args:
        training: what it was trained on.
        images: how many; None: `USUAL_IMAGES`, or all there are.
        seed: of the choice.

    Returns:
        The images and their record, whose fingerprint is the SHA-256 of the pixels.

    Raises:
        DataError: there are fewer training images than asked for, or none was asked for.
    """
    if not len(training):
        raise DataError(
            "calibration: expected images, got a run that was imported without any; export the model again with "
            "--calibration-data"
        )
    if images is None:
        images = min(USUAL_IMAGES, len(training))
    if not 1 <= images <= len(training):
        raise DataError(f"calibration: expected 1…{len(training)} images (those that were trained on), got {images}")
    chosen = np.ascontiguousarray(training.sample(images, seed=seed).images)
    return CalibrationImages(chosen, Calibration(images, seed, hashlib.sha256(chosen.data).hexdigest()))
