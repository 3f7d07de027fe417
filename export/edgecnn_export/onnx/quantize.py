"""Full-integer ONNX from the float32 graph, by ONNX Runtime's own quantizer: QDQ form, per channel.

Weights are signed and activations unsigned. ONNX Runtime computes signed activations as unsigned ones too, but where
two operators read the same one it leaves them in float32: 15 of the 53 convolutions of MobileNetV2.
What is done to the pixels before the first weights read them (`scaling.py`) is float32, and rounded once.
As in TFLite (`tflite/quantize.py`) the logits are not rounded to 8 bits: the last product of integers is given out as
float32, and the softmax is float32.
"""

from collections.abc import Collection

import numpy as np
import onnx

from edgecnn_export.int8.bias_correction import correct_biases
from edgecnn_export.int8.quantizable import FloatOperator, Statistics, tail
from edgecnn_export.onnx.graph import OnnxGraph
from edgecnn_export.onnx.scaling import pixel_operators
from edgecnn_runtime.errors import MissingExtraError

# The largest weight of a channel in steps: as ONNX Runtime counts them.
_STEPS = {False: 127, True: 64}


def quantize(
    graph: OnnxGraph,
    statistics: Statistics,
    *,
    reduce_range: bool = False,
    in_float: Collection[FloatOperator] = (),
    biases_learnt: bool = False,
) -> onnx.ModelProto:
    """Quantize weights per channel and activations per tensor to int8, with corrected biases.

    Args:
        graph: float32.
        statistics: of its activations on calibration images.
        reduce_range: weights of 7 bits, for x86 CPUs without VNNI, whose 16-bit sums of two 8-bit products saturate.
        in_float: operators that stay float32.
        biases_learnt: as quantization-aware training leaves them; see `correct_biases`.

    Returns:
        The model, float32 pixels in and float32 probabilities out.

    Raises:
        MissingExtraError: the quantizer is not installed.
    """
    try:
        from onnxruntime.quantization import CalibrationMethod, QuantType
        from onnxruntime.quantization.calibrate import TensorsData
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry
    except ImportError as error:
        raise MissingExtraError("int8 ONNX", package="onnxruntime", extra="onnx") from error
    corrected = correct_biases(
        graph, statistics, in_float=in_float, steps=_STEPS[reduce_range], biases_learnt=biases_learnt
    )
    ranges = {
        name: (np.array(low, np.float32), np.array(high, np.float32)) for name, (low, high) in statistics.ranges.items()
    }
    last = tail(graph)
    quantizer = QDQQuantizer(
        corrected.model,
        per_channel=True,
        reduce_range=reduce_range,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(CalibrationMethod.MinMax, ranges),
        nodes_to_quantize=[],
        nodes_to_exclude=[graph.node(operator).name for operator in (*in_float, *pixel_operators(graph), *last[1:])],
        op_types_to_quantize=list({*QLinearOpsRegistry, *QDQRegistry}),
        extra_options={},
    )
    quantizer.quantize_model()
    _keep_float(quantizer.model.model.graph, last[0].output)
    quantizer.model.topological_sort()
    quantized: onnx.ModelProto = quantizer.model.model
    _make_small(quantized.graph)
    return quantized


def _keep_float(graph: onnx.GraphProto, tensor: str) -> None:
    """Take the rounding of one tensor out again: its QuantizeLinear and the DequantizeLinear behind it."""
    for rounding in [node for node in graph.node if node.op_type == "QuantizeLinear" and node.input[0] == tensor]:
        for back in [node for node in graph.node if rounding.output[0] in node.input]:
            for reader in graph.node:
                for place, name in enumerate(reader.input):
                    if name == back.output[0]:
                        reader.input[place] = tensor
            graph.node.remove(back)
        graph.node.remove(rounding)


def _make_small(graph: onnx.GraphProto) -> None:
    """Hold equal constants once, such as zero points; leave out what the rest of the graph says, shorten names."""
    first: dict[tuple[object, ...], str] = {}
    same: dict[str, str] = {}
    for entry in list(graph.initializer):
        values = onnx.numpy_helper.to_array(entry)
        kept = first.setdefault((entry.data_type, values.shape, values.tobytes()), entry.name)
        if kept != entry.name:
            same[entry.name] = kept
            graph.initializer.remove(entry)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = _short(same.get(name, name))
        for place, name in enumerate(node.output):
            node.output[place] = _short(name)
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.ClearField("name")


def _short(tensor: str) -> str:
    return tensor.replace("_DequantizeLinear_Output", "_dequantized").replace("_QuantizeLinear_Output", "_quantized")
