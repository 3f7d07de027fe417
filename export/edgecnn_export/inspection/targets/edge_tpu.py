"""Google's Edge TPU (Coral), by the rules it publishes.

Sources: https://coral.ai/docs/edgetpu/models-intro/ (model requirements; supported operations and their limits, those
of runtime 14); https://developer.axis.com/computer-vision/on-device/system-on-chip/artpec-7/ repeats both. The compiler
itself is a program for x86 without a Python package, and has the last word: whether it maps an operator also depends on
sizes that are not published.
"""

from collections.abc import Callable

from edgecnn_export.formats import Io
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict, to_int8
from edgecnn_export.model_graph import Graph, Operator
from edgecnn_export.tflite.container import TFLITE

NAME = "edgetpu"

_EIGHT_BIT = frozenset({"int8", "uint8"})
_SOFTMAX_LIMIT = 16_000  # elements
_NOT_8_BIT = "expected 8-bit integers"
_OPEN_SIZE = "expected fixed sizes, got an open one"

Rule = Callable[[Graph, Operator], str | None]


def _no_rule(graph: Graph, operator: Operator) -> str | None:
    del graph, operator
    return None


def _no_fused_activation(graph: Graph, operator: Operator) -> str | None:
    del graph
    return f"fused activation {operator.activation}" if operator.activation else None


def _constant_weights(graph: Graph, operator: Operator) -> str | None:
    stored = [number is not None and graph.tensors[number].constant for number in operator.inputs[1:]]
    return None if all(stored) else "weights or bias are not constant"


def _convolution(graph: Graph, operator: Operator) -> str | None:
    height, width = operator.dilation
    if height != width:
        return f"expected the same dilation in both directions, got {height}x{width}"
    return _constant_weights(graph, operator)


def _fully_connected(graph: Graph, operator: Operator) -> str | None:
    shape = graph.tensors[operator.outputs[0]].shape or ()
    if any(size > 1 for size in shape[:-1]):
        return f"expected an output of one dimension, got {_sizes(shape)}"
    return None if operator.plain_weights else "packed weights"


def _one_row(graph: Graph, operator: Operator) -> str | None:
    shape = graph.tensors[operator.outputs[0]].shape or ()
    if any(size > 1 for size in shape[:-1]):
        return f"expected an input of one dimension, got {_sizes(shape)}"
    if not shape or shape[-1] <= _SOFTMAX_LIMIT:
        return None
    return f"expected at most {_SOFTMAX_LIMIT:,} elements, got {shape[-1]:,}"


def _reduction(graph: Graph, operator: Operator) -> str | None:
    shape, axes = _first_shape(graph, operator), _values(graph, operator, 1)
    axes = tuple(axis % len(shape) for axis in axes) if shape else ()
    if len(shape) == 4 and 0 in axes:
        return "reduces the batch"
    if operator.kind == "MEAN" and len(shape) == 4 and 3 in axes and shape[3] % 4:
        return f"expected a mean over a multiple of 4 channels, got {shape[3]}"
    return None


def _padding(graph: Graph, operator: Operator) -> str | None:
    return "pads the batch" if any(_values(graph, operator, 1)[:2]) else None


def _packing(graph: Graph, operator: Operator) -> str | None:
    del graph
    return "packs into the batch dimension" if operator.axis == 0 else None


def _splitting(graph: Graph, operator: Operator) -> str | None:
    # SPLIT has its axis first, SPLIT_V (not supported at all) last.
    return "splits the batch" if _values(graph, operator, 0) == (0,) else None


def _strides_of_one(graph: Graph, operator: Operator) -> str | None:
    strides = _values(graph, operator, 3)
    return None if all(stride == 1 for stride in strides) else f"expected strides of 1, got {_sizes(strides)}"


def _concatenation(graph: Graph, operator: Operator) -> str | None:
    constant = any(number is not None and graph.tensors[number].constant for number in operator.inputs)
    if constant and len(operator.inputs) != 2:
        return f"expected two inputs where one is constant, got {len(operator.inputs)}"
    return _no_fused_activation(graph, operator)


def _slope(graph: Graph, operator: Operator) -> str | None:
    number = operator.inputs[1] if len(operator.inputs) > 1 else None
    shape = () if number is None else graph.tensors[number].shape or ()
    return f"expected one slope per channel, got {_sizes(shape)}" if any(s > 1 for s in shape[:-1]) else None


RULES: dict[str, Rule] = {
    "ADD": _no_rule,
    "AVERAGE_POOL_2D": _no_fused_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "EXPAND_DIMS": _no_rule,
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": _no_rule,
    "LOGISTIC": _no_rule,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _no_rule,
    "MAXIMUM": _no_rule,
    "MAX_POOL_2D": _no_fused_activation,
    "MEAN": _reduction,
    "MINIMUM": _no_rule,
    "MUL": _no_rule,
    "PACK": _packing,
    "PAD": _padding,
    "PRELU": _slope,
    "QUANTIZE": _no_rule,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "RELU": _no_rule,
    "RELU6": _no_rule,
    "RELU_N1_TO_1": _no_rule,
    "RESHAPE": _no_rule,
    "RESIZE_BILINEAR": _no_rule,
    "RESIZE_NEAREST_NEIGHBOR": _no_rule,
    "RSQRT": _no_rule,
    "SLICE": _no_rule,
    "SOFTMAX": _one_row,
    "SPACE_TO_DEPTH": _no_rule,
    "SPLIT": _splitting,
    "SQUARED_DIFFERENCE": _no_rule,
    "SQUEEZE": _no_rule,
    "STRIDED_SLICE": _strides_of_one,
    "SUB": _no_rule,
    "SUM": _reduction,
    "TANH": _no_rule,
    "TRANSPOSE": _no_rule,
    "TRANSPOSE_CONV": _no_rule,
}


def judge(model: InspectedModel) -> Verdict:
    """Judge a file by the published rules: which operators, from the first on, go to the Edge TPU."""
    graph = model.graph
    reasons = {operator.number: _reason(graph, operator) for operator in graph.operators}
    if not any(reasons.values()):
        return Verdict(NAME, Fit.YES, f"all {len(graph.operators)} operators keep the published rules")
    obstacles = _obstacles(model, reasons)
    # The compiler makes one partition: from the first operator that it does not map, all run on the CPU.
    mapped = next(index for index, operator in enumerate(graph.operators) if reasons[operator.number])
    if mapped == 0 or all(o.kind == "QUANTIZE" for o in graph.operators[:mapped]):
        return Verdict(NAME, Fit.NO, "nothing of it runs on the Edge TPU", obstacles)
    summary = f"the first {mapped} of {len(graph.operators)} operators on the Edge TPU, the rest on the CPU"
    return Verdict(NAME, Fit.PARTLY, summary, obstacles)


def _reason(graph: Graph, operator: Operator) -> str | None:
    """Why an operator is not mapped, or None."""
    # An operator that unpacks weights works on what it gives, which is no activation.
    computed = graph.activations_of(operator) or [graph.tensors[number] for number in operator.outputs]
    floats = {tensor.dtype for tensor in computed} - _EIGHT_BIT - {"int32"}
    if floats:
        return f"{_NOT_8_BIT}, got {', '.join(sorted(floats))}"
    if operator.kind not in RULES:
        return "not among its operations"
    for tensor in graph.activations_of(operator):
        if not tensor.static:
            return _OPEN_SIZE
        if any(size > 1 for size in (tensor.shape or ())[:-3]):
            return f"expected 1 in all but the last three dimensions, got {_sizes(tensor.shape or ())}"
    return RULES[operator.kind](graph, operator)


def _obstacles(model: InspectedModel, reasons: dict[int, str | None]) -> tuple[Obstacle, ...]:
    groups: dict[str, list[Operator]] = {}
    for operator in model.graph.operators:
        reason = reasons[operator.number]
        if reason:
            groups.setdefault(reason, []).append(operator)
    return tuple(Obstacle(tuple(group), reason, _remedy(model, reason)) for reason, group in groups.items())


def _remedy(model: InspectedModel, reason: str) -> str:
    if reason.startswith(_NOT_8_BIT):
        return to_int8(model, Io.EDGE_TPU)
    if reason == _OPEN_SIZE:
        return "convert it with fixed sizes, as 'edgecnn export' does"
    return "build the model without it, or as late as possible: what comes before still runs on the Edge TPU"


def _first_shape(graph: Graph, operator: Operator) -> tuple[int, ...]:
    number = operator.inputs[0] if operator.inputs else None
    return () if number is None else graph.tensors[number].shape or ()


def _values(graph: Graph, operator: Operator, position: int) -> tuple[int, ...]:
    number = operator.inputs[position] if len(operator.inputs) > position else None
    return () if number is None else graph.tensors[number].values


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


TARGET = Target(NAME, TFLITE, judge, io=Io.EDGE_TPU)
