"""ONNX Runtime on a CPU: does it open the file, and does what is quantized run on integers?

Asked of ONNX Runtime itself: it writes the graph that it made of the file, with the operators it has fused.
"""

import contextlib
import tempfile
from pathlib import Path

from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict
from edgecnn_export.model_graph import Graph
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.onnx.read_graph import read_onnx
from edgecnn_runtime.errors import ModelError

NAME = "onnxruntime"

_FATAL = 4  # of ONNX Runtime's logger: 0 verbose … 4 fatal


def judge(model: InspectedModel) -> Verdict:
    """Open the file with ONNX Runtime; of a quantized one, tell how many products run on integers."""
    graph = model.graph
    try:
        import onnxruntime
    except ImportError:
        return Verdict(NAME, Fit.OPEN, 'ONNX Runtime is not installed; run: pip install "edgecnn[onnx]"')
    quantized = any(kind == "DequantizeLinear" for kind, _ in graph.counts)
    fused = None
    with contextlib.ExitStack() as stack:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # The highest level that can be written to a file; the next one only changes layouts for this CPU.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        # On a device without a folder for temporary files, that it opens the file is what can be said.
        with contextlib.suppress(OSError):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgecnn-")) if quantized else None
            options.optimized_model_filepath = f"{folder}/optimized.onnx" if folder else ""
        try:
            onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
        # ONNX Runtime's own exceptions derive from Exception only.
        except Exception as error:
            return _refused(model, " ".join(str(error).split()))
        if options.optimized_model_filepath:
            with contextlib.suppress(ModelError):
                fused, _ = read_onnx(Path(options.optimized_model_filepath))
    summary = f"ONNX Runtime {onnxruntime.__version__} opens it"
    if graph.oldest_release:
        summary += f"; oldest by its opset and format: {graph.oldest_release}"
    if fused is None:
        return Verdict(NAME, Fit.YES, summary)
    return _quantized(model, fused, summary)


def _quantized(model: InspectedModel, fused: Graph, summary: str) -> Verdict:
    products = [operator for operator in model.graph.operators if operator.macs or operator.macs is None]
    left = {operator.name for operator in fused.operators if not operator.custom and operator.kind in _FLOAT_PRODUCTS}
    floats = tuple(operator for operator in products if operator.name in left)
    summary += f"; {len(products) - len(floats)} of {len(products)} convolutions and matrix products run on integers"
    if not floats:
        return Verdict(NAME, Fit.YES, summary)
    signed = any(
        operator.kind == "QuantizeLinear" and model.graph.tensors[operator.outputs[0]].dtype == "int8"
        for operator in model.graph.operators
    )
    remedy = "quantize its input, weights, bias (with the scale of the products) and output"
    if signed:
        # Seen with ONNX Runtime 1.31 on x86: it rewrites int8 activations as uint8, but not where two operators read
        # one, as behind the shortcuts of residual networks; what mixes both types is then left in float.
        remedy += "; on x86, quantize the activations to uint8: int8 ones that two operators read are not fused"
    return Verdict(NAME, Fit.PARTLY, summary, (Obstacle(floats, "runs in float although it is quantized", remedy),))


_FLOAT_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def _refused(model: InspectedModel, why: str) -> Verdict:
    custom = tuple(operator for operator in model.graph.operators if operator.custom)
    remedy = (
        "register the library that has its kernel, or build the model without it"
        if custom
        else "convert the model again, with an opset that this version knows"
    )
    return Verdict(NAME, Fit.NO, "ONNX Runtime does not open it", (Obstacle(custom, why[:300], remedy),))


TARGET = Target(NAME, ONNX, judge)
