"""Keras to TFLite, one function for every scheme."""

import warnings
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_runtime.manifest import Scheme


def export_tflite(
    model: keras.Model, scheme: Scheme, *, calibration: NDArray[np.uint8] | None = None, signed: bool = False
) -> bytes:
    """Convert a trained model to TFLite with a static graph and a batch of 1.

    Args:
        model: float32 pixels 0…255 in, probabilities out.
        scheme: int8 is full-integer: uint8 pixels in (scale 1.0, zero point 0, since the 1/255 in front is folded),
            per-channel int8 weights, uint8 probabilities out in steps of 1/256.
        calibration: for int8, uint8 `(N, height, width, channels)`.
        signed: for int8, int8 pixels in (pixel - 128: scale 1.0, zero point -128) and int8 probabilities out, as some
            NPUs and micro-controllers ask.

    Raises:
        ValueError: int8 without calibration images.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(deployment_graph(model, batch=1))
    if scheme is not Scheme.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if scheme is Scheme.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    if scheme is Scheme.INT8:
        if calibration is None:
            raise ValueError("int8: calibration images expected, got none")
        converter.representative_dataset = lambda: _batches_of_one(calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8 if signed else tf.uint8
    with warnings.catch_warnings():
        # "Statistics for quantized inputs were expected": they come from the calibration images.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        content: bytes = converter.convert()
    return content


def _batches_of_one(images: NDArray[np.uint8]) -> Iterator[list[NDArray[np.float32]]]:
    for image in images:
        yield [image[np.newaxis].astype(np.float32)]
