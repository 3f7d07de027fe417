"""Keras to TFLite, one function for every scheme."""

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_export.int8.activation_statistics import measure_statistics
from edgecnn_export.int8.calibration import CalibrationMethod
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.quantize import quantize, quantize_int16x8
from edgecnn_runtime.manifest import Scheme

_CALIBRATED = (Scheme.INT8, Scheme.INT16X8)


def export_tflite(
    model: keras.Model, scheme: Scheme, *, calibration: NDArray[np.uint8] | None = None, signed: bool = False
) -> bytes:
    """Convert a trained model to TFLite with a static graph and a batch of 1.

    Args:
        model: float32 pixels 0…255 in, probabilities out.
        scheme: float32, float16 and dynamic range take and give float32; int8 and int16x8 are those of
            `quantize`.
        calibration: for int8 and int16x8, uint8 `(N, height, width, channels)`.
        signed: int8 in, int16 out; see `quantize.quantize`.

    Raises:
        ValueError: int8 or int16x8 without calibration images.
    """
    if scheme in _CALIBRATED:
        if calibration is None:
            raise ValueError(f"{scheme}: expected calibration images, got none")
        graph = TFLiteGraph(export_tflite(model, Scheme.FLOAT32))
        statistics = measure_statistics(graph, calibration, CalibrationMethod.MINMAX)
        if scheme is Scheme.INT16X8:
            return quantize_int16x8(graph, statistics)
        return quantize(graph, statistics, signed=signed)
    converter = tf.lite.TFLiteConverter.from_keras_model(deployment_graph(model, batch=1))
    if scheme is not Scheme.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme is Scheme.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content
