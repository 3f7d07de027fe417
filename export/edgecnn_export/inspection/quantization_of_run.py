"""Where the int8 file of a run loses: on the images that the run was validated on."""

from collections.abc import Callable

import numpy as np

from edgecnn_export.inspection.quantization import QuantizationLoss, find_quantization_loss
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod, choose_calibration
from edgecnn_export.source import open_source
from edgecnn_runtime.errors import InputError
from edgecnn_runtime.system.native_output import native_output_kept
from edgecnn_runtime.workstation.image_set import ImageSet
from edgecnn_runtime.workstation.run_folder import RunFolder
from edgecnn_runtime.workstation.stratify import stratified_sample

_OPSET = 17  # of an ONNX model that is not made here


def quantization_loss_of(
    run: RunFolder,
    image_set: ImageSet,
    *,
    images: int,
    method: CalibrationMethod,
    seed: int,
    report: Callable[[int, str], object],
) -> QuantizationLoss:
    """Load a run, calibrate as the export does, and compare.

    Args:
        run: a finished run.
        image_set: that it was trained on.
        images: how many validation images to look at; all there are, if there are fewer.
        method: of the calibration.
        seed: of the choice of images.
        report: told how many operators are done, and which is next.

    Raises:
        InputError: the run cannot be used, or no image was asked for.
    """
    if images < 1:
        raise InputError(f"images: expected 1 or more, got {images}")
    source = open_source(run, image_set, opset=_OPSET)
    calibration = choose_calibration(source.trained_on.split, source.trained_on.positions, images=None, seed=seed)
    split, positions = source.validated_on.split, source.validated_on.positions
    looked_at = positions[stratified_sample(split.labels[positions], min(images, len(positions)), seed=seed)]
    graph = source.converted.tflite
    with native_output_kept():
        statistics = measure_statistics(graph, calibration.images, method)
    return find_quantization_loss(
        graph, statistics, np.asarray(split.images[looked_at]), split.labels[looked_at], report=report
    )
