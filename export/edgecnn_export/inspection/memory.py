"""How much memory the activations of one image need: an estimate, from the graph alone."""

from dataclasses import dataclass

from edgecnn_export.model_graph import Graph, Operator


@dataclass(frozen=True)
class Peak:
    """The moment at which most activations live."""

    size: int  # bytes
    operator: Operator


def peak_activations(graph: Graph) -> Peak | None:
    """Find the largest sum of the bytes of tensors that live at the same time, None where a size is not known.

    A tensor lives from the operator that makes it to the last one that reads it; inputs from the start, outputs to
    the end. An interpreter needs somewhat more (its own records, scratch memory, gaps between tensors), or less where
    an operator writes over its input. The float tensors around ONNX's pairs of QuantizeLinear and DequantizeLinear
    count nothing, since ONNX Runtime computes on the quantized ones.
    """
    first = dict.fromkeys(graph.inputs, -1)
    last = dict.fromkeys(graph.inputs, -1)
    source: dict[int, int] = {}  # the quantized tensor behind a float one
    for operator in graph.operators:
        if operator.number in graph.unpacking:
            continue
        for number in operator.inputs:
            if number is not None:
                last[source.get(number, number)] = operator.number
        start = operator.number
        if operator.kind == "QuantizeLinear" and operator.inputs[0] is not None:
            # Written by the operator before it, in one step.
            start = first.get(operator.inputs[0], start) if _only_quantized(graph, operator.inputs[0]) else start
        for number in operator.outputs:
            first.setdefault(number, start)
            last.setdefault(number, operator.number)
            if operator.kind == "DequantizeLinear" and operator.inputs[0] is not None:
                source[number] = source.get(operator.inputs[0], operator.inputs[0])
    end = len(graph.operators)
    last |= dict.fromkeys((source.get(number, number) for number in graph.outputs), end)
    live = [0] * (end + 2)
    for number, start in first.items():
        if graph.tensors[number].constant or number in source or _only_quantized(graph, number):
            continue
        size = graph.tensors[number].size
        if size is None:
            return None
        for step in range(start, last[number] + 1):
            live[step + 1] += size
    # The last step is the one after the last operator: its outputs alone.
    size, number = max((size, -step) for step, size in enumerate(live))
    return Peak(size, graph.operators[min(max(-number - 1, 0), end - 1)]) if end else None


def _only_quantized(graph: Graph, number: int) -> bool:
    """Whether a tensor is read by nothing but a QuantizeLinear: it is never written as float."""
    if number in graph.inputs or number in graph.outputs:
        return False
    readers = [operator.kind for operator in graph.operators if number in operator.inputs]
    return bool(readers) and all(kind == "QuantizeLinear" for kind in readers)
