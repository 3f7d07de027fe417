"""What the ONNX standard asks of a file, and what OpenCV can open of it."""

from pathlib import Path
from types import ModuleType

import needs
import onnx


def require_standard(model: onnx.ModelProto) -> None:
    """Fail where the checker refuses a model, or it holds what it does not use or shapes that do not follow."""
    onnx.checker.check_model(model, full_check=True)
    graph = model.graph
    read = {name for node in graph.node for name in node.input}
    assert [tensor.name for tensor in graph.initializer if tensor.name not in read] == []
    assert [entry.domain for entry in model.opset_import] == [""] == sorted({node.domain for node in graph.node})
    # Batches apart nothing is open, and every engine infers what lies between input and output by itself.
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    for tensor in (*inferred.value_info, *graph.input, *graph.output):
        assert all(size.HasField("dim_value") for size in tensor.type.tensor_type.shape.dim[1:]), tensor.name
    assert [tensor.name for tensor in graph.value_info] == []


def opencv_for(path: Path) -> ModuleType | None:
    """Return OpenCV, or None for a file that its release 5.0 opens from nobody.

    That is one with a dense layer whose bias and whose output are quantized.
    """
    cv2: ModuleType = needs.package("cv2", "edgecnn[camera]")
    graph = onnx.load(path).graph
    rounded = {node.input[0] for node in graph.node if node.op_type == "QuantizeLinear"}
    refused = any(node.op_type == "Gemm" and node.output[0] in rounded for node in graph.node)
    return None if refused and cv2.__version__.startswith("5.") else cv2
