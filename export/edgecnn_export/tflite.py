"""Keras to TFLite, one function for every scheme."""

import warnings
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgecnn_export.activation_statistics import measure_statistics
from edgecnn_export.calibration import CalibrationMethod
from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_export.int8_tflite import quantize
from edgecnn_export.tflite_graph import TFLiteGraph
from edgecnn_runtime.manifest import Scheme

_CALIBRATED = (Scheme.INT8, Scheme.INT16X8)


def export_tflite(
    model: keras.Model, scheme: Scheme, *, calibration: NDArray[np.uint8] | None = None, signed: bool = False
) -> bytes:
    """Convert a trained model to TFLite with a static graph and a batch of 1.

    Args:
        model: float32 pixels 0…255 in, probabilities out.
        scheme: float32, float16 and dynamic range take and give float32; int16x8 does so too, and computes with
            activations of 16 bits; int8 is that of `int8_tflite.quantize`.
        calibration: for int8 and int16x8, uint8 `(N, height, width, channels)`.
        signed: int8 in, int16 out; see `int8_tflite.quantize`.

    Raises:
        ValueError: int8 or int16x8 without calibration images.
    """
    if scheme in _CALIBRATED and calibration is None:
        raise ValueError(f"{scheme}: calibration images expected, got none")
    if scheme is Scheme.INT8 and calibration is not None:
        graph = TFLiteGraph(export_tflite(model, Scheme.FLOAT32))
        return quantize(graph, measure_statistics(graph, calibration, CalibrationMethod.MINMAX), signed=signed)
    converter = tf.lite.TFLiteConverter.from_keras_model(deployment_graph(model, batch=1))
    if scheme is not Scheme.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme is Scheme.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if scheme is Scheme.INT16X8 and calibration is not None:
        converter.representative_dataset = lambda: _batches_of_one(calibration)
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    with warnings.catch_warnings():
        # "Statistics for quantized inputs were expected": they come from the calibration images.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        content: bytes = converter.convert()
    return content


def _batches_of_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    for image in images:
        yield [image[np.newaxis].astype(np.float32)]
