"""What no operator uses is left out, also where an inner graph is the only one that uses it."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgecnn_export.onnx.unused import remove_unused


def branching() -> onnx.ModelProto:
    """`condition ? inside : 0`, with more constants, operator sets and shapes than that needs."""
    value = helper.make_tensor_value_info("value", TensorProto.FLOAT, [])
    branches = [
        helper.make_graph([helper.make_node("Identity", [name], ["value"])], name, [], [value])
        for name in ("inside", "zero")
    ]
    graph = helper.make_graph(
        [helper.make_node("If", ["condition"], ["chosen"], then_branch=branches[0], else_branch=branches[1])],
        "branching",
        [helper.make_tensor_value_info("condition", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("chosen", TensorProto.FLOAT, [])],
        [onnx.numpy_helper.from_array(np.float32(1), name) for name in ("inside", "zero", "nobody")],
        value_info=[helper.make_tensor_value_info("stale", TensorProto.FLOAT, ["unk__0"])],
    )
    opsets = [helper.make_opsetid(domain, 1) for domain in ("ai.onnx.ml", "com.microsoft")]
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), *opsets], ir_version=8)


def test_only_what_is_used_stays() -> None:
    model = branching()
    remove_unused(model)
    assert [tensor.name for tensor in model.graph.initializer] == ["inside", "zero"]
    assert [entry.domain for entry in model.opset_import] == [""]
    assert not model.graph.value_info
    onnx.checker.check_model(model, full_check=True)
