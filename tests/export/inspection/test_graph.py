"""What is counted in a graph: multiply-accumulates, weights, live memory; the same model in both containers."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from onnx import TensorProto, helper, numpy_helper
from tiny_tflite import TinyOperator, TinyTensor, constant, convolution, live, numbers, tiny_tflite

from edgecnn_export.inspection.graph import Graph
from edgecnn_export.inspection.memory import peak_activations
from edgecnn_export.inspection.model import inspect_model


def _onnx(path: Path, nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list[object]) -> Graph:  # type: ignore[type-arg]
    """Write and read a model whose input is `x` and whose output `y` has the shape that is inferred."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return inspect_model(path).graph


def _ones(*shape: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.ones(shape, np.float32)


@pytest.mark.parametrize(
    ("kind", "tensors", "options", "expected"),
    [
        # 6x6 places x 5 filters x 3x3x2 values
        ("CONV_2D", [live(1, 8, 8, 2), constant(5, 3, 3, 2), live(1, 6, 6, 5)], schema.Conv2DOptionsT(), 36 * 5 * 18),
        # two groups: a filter sees 2 of the 4 channels
        ("CONV_2D", [live(1, 8, 8, 4), constant(6, 3, 3, 2), live(1, 6, 6, 6)], schema.Conv2DOptionsT(), 36 * 6 * 18),
        (
            "DEPTHWISE_CONV_2D",
            [live(1, 8, 8, 4), constant(1, 3, 3, 4), live(1, 6, 6, 4)],
            schema.DepthwiseConv2DOptionsT(),
            36 * 4 * 9,
        ),
        ("FULLY_CONNECTED", [live(1, 20), constant(7, 20), live(1, 7)], schema.FullyConnectedOptionsT(), 140),
        ("BATCH_MATMUL", [live(2, 3, 4), live(2, 4, 5), live(2, 3, 5)], schema.BatchMatMulOptionsT(), 2 * 3 * 5 * 4),
        ("SOFTMAX", [live(1, 10), live(1, 10)], schema.SoftmaxOptionsT(), 0),
    ],
)
def test_macs_of_tflite_operators(
    kind: str, tensors: list[TinyTensor], options: object, expected: int, tmp_path: Path
) -> None:
    count = len(tensors) - 1
    path = tiny_tflite(
        tmp_path / "m.tflite",
        tensors,
        [TinyOperator(kind, range(count), (count,), options)],
        inputs=[number for number in range(count) if tensors[number].data is None],
    )
    assert inspect_model(path).graph.macs == expected


def test_macs_of_a_transposed_convolution(tmp_path: Path) -> None:
    tensors = [numbers(1, 8, 8, 5), constant(5, 2, 2, 3), live(1, 4, 4, 3), live(1, 8, 8, 5)]
    operator = TinyOperator("TRANSPOSE_CONV", (0, 1, 2), (3,), schema.TransposeConvOptionsT())
    graph = inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, [operator], inputs=(2,))).graph
    assert graph.macs == 4 * 4 * 3 * (2 * 2 * 5)


@pytest.mark.parametrize(
    ("node", "weights", "shape", "expected"),
    [
        (("Conv", ["x", "w"], {}), {"w": _ones(5, 2, 3, 3)}, ["N", 2, 8, 8], 36 * 5 * 18),
        (("Conv", ["x", "w"], {"group": 4}), {"w": _ones(4, 1, 3, 3)}, ["N", 4, 8, 8], 36 * 4 * 9),
        (("ConvTranspose", ["x", "w"], {}), {"w": _ones(3, 5, 2, 2)}, ["N", 3, 4, 4], 48 * 20),
        (("Gemm", ["x", "w"], {"transB": 1}), {"w": _ones(7, 20)}, ["N", 20], 140),
        (("MatMul", ["x", "w"], {}), {"w": _ones(4, 5)}, ["N", 3, 4], 3 * 5 * 4),
        (("Softmax", ["x"], {}), {}, ["N", 10], 0),
        # Two open sizes: what the second is, nobody knows.
        (("Conv", ["x", "w"], {}), {"w": _ones(5, 2, 3, 3)}, ["N", 2, "H", 8], None),
    ],
)
def test_macs_of_onnx_operators_with_an_open_batch(node, weights, shape, expected: int | None, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    kind, inputs, attributes = node
    graph = _onnx(tmp_path / "m.onnx", [helper.make_node(kind, inputs, ["y"], **attributes)], weights, shape)
    assert graph.macs == expected
    assert (peak_activations(graph) is None) == (expected is None)


def test_both_containers_give_the_same_counts(tmp_path: Path) -> None:
    tflite = inspect_model(convolution(tmp_path / "m.tflite", dtype="float32")).graph
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("MatMul", ["r", "d"], ["y"]),
    ]
    weights = {"w": _ones(4, 2, 3, 3), "b": _ones(4), "s": np.array([-1, 144], np.int64), "d": _ones(144, 3)}
    other = _onnx(tmp_path / "m.onnx", nodes, weights, ["N", 2, 8, 8])
    assert (tflite.macs, tflite.parameters) == (other.macs, other.parameters) == (3024, 4 * 18 + 4 + 432)
    peaks = peak_activations(tflite), peak_activations(other)
    assert [peak and peak.size for peak in peaks] == [4 * 144 * 2] * 2


def test_quantization_is_read_from_both_containers(tmp_path: Path) -> None:
    tflite = inspect_model(convolution(tmp_path / "m.tflite")).graph
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["f"], axis=0),
        helper.make_node("Conv", ["x", "f"], ["y"]),
    ]
    weights = {
        "w": np.ones((4, 2, 3, 3), np.int8),
        "s": np.array([0.1, 0.2, 0.3, 0.4], np.float32),
        "z": np.zeros(4, np.int8),
    }
    other = _onnx(tmp_path / "m.onnx", nodes, weights, ["N", 2, 8, 8])
    for graph in (tflite, other):
        (kernel,) = (tensor for tensor in graph.tensors if tensor.constant and tensor.shape and len(tensor.shape) == 4)
        assert kernel.dtype == "int8"
        assert kernel.quantization is not None
        assert kernel.quantization.scales == pytest.approx((0.1, 0.2, 0.3, 0.4))
        assert (kernel.quantization.zero_points, kernel.quantization.axis) == ((0, 0, 0, 0), 0)
        assert kernel.quantization.per_channel
    # What unpacks weights is no layer: they count for the convolution, the scales beside them never.
    assert other.weights_of(other.operators[0]) == (0, 0)
    assert other.weights_of(other.operators[1]) == (72, 72)


def test_a_shared_weight_counts_once(tmp_path: Path) -> None:
    tensors = [live(1, 4), constant(4, 4), live(1, 4), live(1, 4)]
    layers = [
        TinyOperator("FULLY_CONNECTED", (source, 1, -1), (result,), schema.FullyConnectedOptionsT())
        for source, result in ((0, 2), (2, 3))
    ]
    graph = inspect_model(tiny_tflite(tmp_path / "m.tflite", tensors, layers)).graph
    assert graph.parameters == 16
    assert graph.macs == 32


@pytest.mark.parametrize(
    ("operators", "expected", "at"),
    [
        # a chain: two neighbours live
        ([("RELU", (0,), (1,)), ("RELU", (1,), (2,)), ("RELU", (2,), (3,))], 200, 0),
        # a shortcut: tensor 1 waits while 2 and 3 are made
        ([("RELU", (0,), (1,)), ("RELU", (1,), (2,)), ("RELU", (2,), (3,)), ("ADD", (1, 3), (4,))], 300, 2),
        # a result that nobody reads is still written
        ([("SPLIT", (0,), (1, 2)), ("RELU", (1,), (3,))], 300, 0),
    ],
)
def test_the_peak_follows_the_lifetimes(operators, expected: int, at: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tensors = [live(1, 100) for _ in range(5)]
    path = tiny_tflite(tmp_path / "m.tflite", tensors, [TinyOperator(*operator) for operator in operators])
    peak = inspect_model(path).peak
    assert peak is not None
    assert (peak.size, peak.operator.number) == (expected, at)


def test_quantized_onnx_counts_its_integers_not_the_floats_around_them(tmp_path: Path) -> None:
    """Between two convolutions stand the int8 tensors that ONNX Runtime really keeps."""
    scale = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q0"]),
        helper.make_node("DequantizeLinear", ["q0", "s", "z"], ["f0"]),
        helper.make_node("Conv", ["f0", "w"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["q1"]),
        helper.make_node("DequantizeLinear", ["q1", "s", "z"], ["y"]),
    ]
    graph = _onnx(tmp_path / "m.onnx", nodes, {**scale, "w": _ones(8, 1, 1, 1)}, ["N", 1, 10, 10])
    peak = peak_activations(graph)
    assert peak is not None
    # int8 in (100) and out (800), while the float input (400) has been read.
    assert peak.size == 900


@pytest.mark.parametrize(("name", "published"), [("resnet50", 4.09), ("vgg19", 19.63), ("densenet121", 2.83)])
def test_large_networks_have_the_macs_that_torchvision_publishes(name: str, published: float) -> None:
    """Thousands of millions, as its table of weights gives them; the networks come with the package onnx."""
    path = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / f"light_{name}.onnx"
    macs = inspect_model(path).graph.macs
    assert macs is not None
    assert macs / 1e9 == pytest.approx(published, abs=0.01)


@pytest.mark.slow
def test_mobilenet_v2_has_the_300_million_of_its_paper(tmp_path: Path) -> None:
    """Sandler et al. 2018, table 4: 300 M multiply-adds, 3.4 M parameters."""
    import keras

    from edgecnn_export.tflite.convert import export_tflite
    from edgecnn_runtime.manifest import Scheme
    from edgecnn_runtime.system.native_output import native_output_kept

    with native_output_kept():
        content = export_tflite(keras.applications.MobileNetV2(weights=None), Scheme.FLOAT32)
    path = tmp_path / "mobilenet.tflite"
    path.write_bytes(content)
    graph = inspect_model(path).graph
    assert graph.macs == pytest.approx(300e6, rel=0.01)
    assert graph.parameters == pytest.approx(3.5e6, rel=0.03)


def test_resnet8_has_the_12_5_million_of_mlperf_tiny(tmp_path: Path) -> None:
    """Banbury et al. 2021, MLPerf Tiny, image classification on 32x32: 12.5 M multiply-accumulates."""
    import keras

    from edgecnn_export.tflite.convert import export_tflite
    from edgecnn_runtime.manifest import Scheme
    from edgecnn_runtime.system.native_output import native_output_kept
    from edgecnn_training.networks.network import build_network
    from edgecnn_training.recipes import get_recipe

    with native_output_kept():
        network = build_network(keras, get_recipe("resnet8"), 10, shape=(32, 32, 3))
        content = export_tflite(network, Scheme.FLOAT32)
    path = tmp_path / "resnet8.tflite"
    path.write_bytes(content)
    assert inspect_model(path).graph.macs == pytest.approx(12.5e6, rel=0.01)
