"""Keras to ONNX, one function for every scheme."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from numpy.typing import NDArray

from edgecnn_export.deployment_graph import deployment_graph
from edgecnn_runtime.errors import MissingExtraError
from edgecnn_runtime.manifest import Scheme


def export_onnx(
    model: keras.Model, scheme: Scheme, *, opset: int, calibration: NDArray[np.uint8] | None = None
) -> bytes:
    """Convert a trained model to ONNX with an open batch `N`, accepted by the ONNX checker.

    Args:
        model: float32 pixels 0…255 in, probabilities out.
        scheme: int8 is QDQ, per-channel, signed 8 bit for weights and activations, the form that is safe on every
            CPU; input and output stay float32. float16 keeps float32 at its input and output too.
        opset: of the default ONNX domain.
        calibration: for int8, uint8 `(N, height, width, channels)`.

    Raises:
        ValueError: int8 without calibration images.
        MissingExtraError: float16 and int8 need ONNX Runtime's converters.
    """
    converted = _convert(model, opset=opset)
    if scheme is Scheme.FLOAT16:
        converted = _to_float16(converted)
    if scheme is Scheme.INT8:
        if calibration is None:
            raise ValueError("int8: calibration images expected, got none")
        converted = _to_int8(converted, calibration)
    onnx.checker.check_model(converted, full_check=True)
    content: bytes = converted.SerializeToString()
    return content


def _convert(model: keras.Model, *, opset: int) -> onnx.ModelProto:
    """Convert through a function, since tf2onnx's `from_keras` fails with Keras 3."""
    graph = deployment_graph(model, batch=None)
    signature = [tf.TensorSpec(graph.inputs[0].shape, tf.float32, name="pixels")]

    def probabilities(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": graph(pixels, training=False)}

    converted, _ = tf2onnx.convert.from_function(
        tf.function(probabilities, input_signature=signature), input_signature=signature, opset=opset
    )
    for tensor in (converted.graph.input[0], converted.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = "N"
    return converted


def _to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel
    except ImportError as error:
        raise MissingExtraError("float16 ONNX", package="onnxruntime", extra="onnx") from error
    halved = OnnxModel(convert_float_to_float16(model, keep_io_types=True))
    # The casts at the input are appended behind their consumers; the checker wants them in order.
    halved.topological_sort(is_deterministic=True)
    return halved.model


def _to_int8(model: onnx.ModelProto, images: NDArray[np.uint8]) -> onnx.ModelProto:
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process
    except ImportError as error:
        raise MissingExtraError("int8 ONNX", package="onnxruntime", extra="onnx") from error
    with tempfile.TemporaryDirectory(prefix="edgecnn-") as folder:
        plain, prepared, quantized = (Path(folder) / f"{step}.onnx" for step in ("plain", "prepared", "quantized"))
        # By path: given a model in memory, the preparation looks for external data that is not there.
        onnx.save(model, plain)
        # Shape inference and fusion first, so that Conv+BatchNorm and Conv+Relu are quantized as one.
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            quantized,
            _CalibrationReader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(quantized)


class _CalibrationReader:
    """Feeds the calibration images to ONNX Runtime one at a time, as its CalibrationDataReader does."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next input, or None at the end."""
        image = next(self._images, None)
        return None if image is None else {"pixels": image[np.newaxis].astype(np.float32)}
