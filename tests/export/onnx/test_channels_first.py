"""A Transpose in front of flattened features goes into the weights behind it, where nothing else needs it."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgecnn_export.onnx.channels_first import flatten_channels_first

HEIGHT, WIDTH, CHANNELS, CLASSES = 3, 4, 5, 2
FEATURES = np.random.default_rng(0).normal(size=(2, CHANNELS, HEIGHT, WIDTH)).astype(np.float32)


def flattening(
    *,
    perm: Sequence[int] = (0, 2, 3, 1),
    rows: int = HEIGHT * WIDTH * CHANNELS,
    also: Sequence[str] = (),
    sizes: Sequence[int | str] = (HEIGHT, WIDTH),
) -> onnx.ModelProto:
    """Features (N, channels, height, width), brought channels last, flattened and multiplied; `also` names outputs.

    One of them is `more`: another product of the same weights.
    """
    weights = np.random.default_rng(1).normal(size=(rows, CLASSES)).astype(np.float32)
    ranks = {"logits": 2, "last": 4, "flat": 2, "more": 2}
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * ranks[name]) for name in ("logits", *also)
    ]
    graph = helper.make_graph(
        [
            helper.make_node("Transpose", ["features"], ["last"], perm=perm),
            helper.make_node("Reshape", ["last", "shape"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
            *([helper.make_node("MatMul", ["ones", "weights"], ["more"])] if "more" in also else []),
        ],
        "flattening",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", CHANNELS, *sizes])],
        outputs,
        [
            onnx.numpy_helper.from_array(np.array([-1, rows]), "shape"),
            onnx.numpy_helper.from_array(weights, "weights"),
            *([onnx.numpy_helper.from_array(np.eye(rows, dtype=np.float32), "ones")] if "more" in also else []),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(model: onnx.ModelProto) -> list[NDArray[np.float32]]:
    onnx.checker.check_model(model, full_check=True)
    outputs: list[NDArray[np.float32]] = ReferenceEvaluator(model).run(None, {"features": FEATURES})
    return outputs


def test_the_weights_take_over_the_order() -> None:
    model = flattening()
    (expected,) = run(model)
    flatten_channels_first(model)
    assert [node.op_type for node in model.graph.node] == ["Reshape", "MatMul"]
    np.testing.assert_allclose(run(model)[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"perm": (0, 3, 2, 1)},
        {"rows": CHANNELS},  # a product for each position
        {"also": ["last"]},
        {"also": ["flat"]},
        {"also": ["more"]},
        {"sizes": ["H", "W"]},  # how the rows stand is not known
    ],
)
def test_one_that_something_else_needs_stays(options) -> None:  # type: ignore[no-untyped-def]
    model = flattening(**options)
    expected = run(model)
    flatten_channels_first(model)
    assert model.graph.node[0].op_type == "Transpose"
    for found, wanted in zip(run(model), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("flattened", [False, True])
def test_one_that_nothing_multiplies_stays(flattened: bool) -> None:
    model = flattening(also=["flat" if flattened else "last"])
    graph = model.graph
    for node in list(graph.node)[2 if flattened else 1 :]:
        graph.node.remove(node)
    del graph.output[0]
    expected = run(model)
    flatten_channels_first(model)
    assert graph.node[0].op_type == "Transpose"
    np.testing.assert_array_equal(run(model)[0], expected[0])
