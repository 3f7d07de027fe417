"""The content of an exported file, without its manifest and without a search: what a format makes of a network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.containers import CONTAINERS, Conversion
from edgecnn_export.formats import USUAL_OPSET, Format
from edgecnn_export.int8.accuracy_search import quantize_once
from edgecnn_export.int8.calibration import CalibrationImages, CalibrationMethod
from edgecnn_runtime.manifest import Calibration


def conversion_of(model: Any, suffix: str) -> Conversion:
    """Begin the conversion of a Keras model, of which several files can be made."""
    return CONTAINERS[suffix].convert(model, opset=USUAL_OPSET, reduce_range=True)


def content_of(
    model: Any, fmt: Format, images: NDArray[np.uint8] | None = None, *, conversion: Conversion | None = None
) -> bytes:
    """Convert a Keras model; integer formats are calibrated on images `(N, height, width, channels)`."""
    conversion = conversion or conversion_of(model, fmt.suffix)
    if images is None or not fmt.needs_calibration:
        return conversion.file(fmt.scheme)
    calibration = CalibrationImages(images, Calibration(len(images), seed=0, fingerprint=""))
    return quantize_once(conversion.quantizer(fmt), calibration, CalibrationMethod.MINMAX).content
