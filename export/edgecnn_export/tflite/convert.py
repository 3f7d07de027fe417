"""Keras to TFLite, in the schemes that need no calibration."""

import keras
import tensorflow as tf

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_runtime.manifest import Scheme


def export_tflite(model: keras.Model, scheme: Scheme) -> bytes:
    """Convert a trained model to TFLite with a static graph and a batch of 1, float32 pixels and probabilities.

    Args:
        model: float32 pixels 0…255 in, probabilities out.
        scheme: float32, float16 or dynamic range; the integer ones are made of float32 by `quantize`.
    """
    converter = tf.lite.TFLiteConverter.from_keras_model(deployment_graph(model, batch=1))
    if scheme is not Scheme.FLOAT32:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # One scale for the weights of a dense layer: with one per channel, dynamic range opens in LiteRT and TensorFlow of
    # 2024 and later only, and the interpreters before answer wrongly or not at all.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if scheme is Scheme.FLOAT16:
        converter.target_spec.supported_types = [tf.float16]
    content: bytes = converter.convert()
    return content
