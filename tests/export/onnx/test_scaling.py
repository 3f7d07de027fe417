"""A scaling of pixels goes into the first weights, and the network computes what it did before."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgecnn_export.onnx.graph import OnnxGraph
from edgecnn_export.onnx.scaling import fold_scaling, pixel_operators

SIDE, CHANNELS = 6, 3
PIXELS = np.random.default_rng(0).integers(0, 256, (2, SIDE, SIDE, CHANNELS)).astype(np.float32)
MEAN, DEVIATION = np.array([124, 117, 104], np.float32), np.array([58, 57, 57.5], np.float32)
# An operator, and its constant; in front of the pixels where it says so.
Step = tuple[str, ArrayLike] | tuple[str, ArrayLike, str]

# What the pixels go through, and how many numbers are taken off them afterwards.
FOLDED: dict[str, tuple[list[Step], int]] = {
    "unit": ([("Mul", 1 / 255)], 0),
    "by division": ([("Div", 255)], 0),
    "signed": ([("Mul", 1 / 127.5), ("Add", -1)], 1),
    "signed, by subtraction": ([("Div", [127.5]), ("Sub", 1)], 1),
    "negative of a picture": ([("Div", 255), ("Sub", 1, "in front")], 1),
    "a grey that is no byte": ([("Add", 1000), ("Mul", 0.001)], 1),
    "caffe": ([("Mul", 1), ("Add", -MEAN)], 3),
    "torch": ([("Mul", 1 / 255), ("Sub", MEAN / 255), ("Div", DEVIATION / 255)], 3),
    "channels without a grey": ([("Mul", 1 / DEVIATION)], 0),
    "three equal greys": ([("Sub", [127.5] * 3), ("Mul", 1 / 127.5)], 1),
}
LEFT_ALONE: dict[str, list[Step]] = {
    "nothing to fold": [],
    "black whatever comes": [("Mul", 0)],
    "one over the pixel": [("Add", 1), ("Div", 1, "in front")],
    "by row": [("Mul", np.linspace(0, 1, SIDE, dtype=np.float32).reshape(1, SIDE, 1, 1))],
}


def network(
    steps: Sequence[Step], *, bias: bool = True, pads: int = 0, flat: bool = False, read_twice: bool = False
) -> OnnxGraph:
    """Pixels, the steps, channels brought first, and a convolution or, of flattened pixels, a dense layer."""
    generator = np.random.default_rng(1)
    nodes, constants, tensor = [], {}, "pixels"
    for number, (kind, value, *in_front) in enumerate(steps):
        constants[f"c{number}"] = np.asarray(value, np.float32)
        read = [f"c{number}", tensor] if in_front else [tensor, f"c{number}"]
        nodes.append(helper.make_node(kind, read, [f"scaling/{number}"]))
        tensor = f"scaling/{number}"
    if flat:
        constants["shape"] = np.array([-1, PIXELS[0].size])
        constants["weights"] = generator.normal(size=(PIXELS[0].size, 4)).astype(np.float32)
        nodes.append(helper.make_node("Reshape", [tensor, "shape"], ["flat"]))
        last = helper.make_node("Gemm", ["flat", "weights"], ["first"])
    else:
        constants["weights"] = generator.normal(size=(4, CHANNELS, 3, 3)).astype(np.float32)
        nodes.append(helper.make_node("Transpose", [tensor], ["channels_first"], perm=[0, 3, 1, 2]))
        last = helper.make_node("Conv", ["channels_first", "weights"], ["first"], pads=[pads] * 4)
    if bias:
        constants["bias"] = generator.normal(size=4).astype(np.float32)
        last.input.append("bias")
    shapes = {"first": [None] * (2 if flat else 4)}
    if read_twice:
        nodes.append(helper.make_node("Relu", [tensor], ["second"]))
        shapes["second"] = [None] * 4
    graph = helper.make_graph(
        [*nodes, last],
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", SIDE, SIDE, CHANNELS])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [onnx.numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return OnnxGraph(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def run(graph: OnnxGraph) -> NDArray[np.float32]:
    onnx.checker.check_model(graph.model, full_check=True)
    outputs: list[NDArray[np.float32]] = ReferenceEvaluator(graph.model).run(None, {"pixels": PIXELS})
    return outputs[0]


def taken_off(folded: OnnxGraph) -> NDArray[np.float32]:
    values = folded.constant(folded.node(pixel_operators(folded)[0]).input[1])
    assert values is not None
    return values


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("steps", "greys"), FOLDED.values(), ids=FOLDED)
def test_the_network_computes_the_same(steps: list[Step], greys: int, bias: bool) -> None:
    graph = network(steps, bias=bias)
    expected = run(graph)
    folded = fold_scaling(graph)
    arithmetic = [operator for operator in pixel_operators(folded) if operator.kind != "Transpose"]
    assert [operator.kind for operator in arithmetic] == (["Sub"] if greys else [])
    if greys and bias:
        assert taken_off(folded).size == greys
    np.testing.assert_allclose(run(folded), expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("steps", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_what_is_no_scaling_stays(steps: list[Step]) -> None:
    graph = network(steps)
    assert fold_scaling(graph) is graph


def test_pixels_that_something_else_reads_stay() -> None:
    graph = network([("Mul", 1 / 255)], read_twice=True)
    assert fold_scaling(graph) is graph


@pytest.mark.parametrize(("value", "stays"), [(1 / 255, False), (MEAN, True)], ids=["one", "by channel"])
def test_a_dense_layer_of_flat_pixels_takes_one_scale(value: ArrayLike, stays: bool) -> None:
    graph = network([("Mul", value)], flat=True)
    folded = fold_scaling(graph)
    assert (folded is graph) == stays
    np.testing.assert_allclose(run(folded), run(graph), rtol=1e-4, atol=1e-3)


def test_a_grey_between_two_levels_is_whole_and_padding_is_off_by_half_a_level() -> None:
    graph = network([("Mul", 1 / 127.5), ("Add", -1)], pads=1)
    folded = fold_scaling(graph)
    assert taken_off(folded) in (127, 128)
    difference = np.abs(run(folded) - run(graph))
    np.testing.assert_allclose(difference[..., 1:-1, 1:-1], 0, atol=1e-5)
    weights = folded.weights(next(operator for operator in folded.operators if operator.weighted))
    assert 0 < difference.max() < 0.5 * np.abs(weights).sum(axis=(1, 2)).max()
