"""The JSON document of an inspection."""

import dataclasses
from typing import Any

from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.targets.boards import BOARDS
from edgecnn_export.inspection.verdict import Obstacle, Verdict
from edgecnn_export.model_graph import Graph, Operator, Tensor


def to_document(model: InspectedModel, verdicts: list[Verdict]) -> dict[str, Any]:
    """Return everything that was found, as JSON holds it; sizes in bytes, an unknown number is null."""
    graph, peak = model.graph, model.peak
    return {
        "file": str(model.path),
        "container": model.container.format.name,
        "version": graph.version,
        "oldest_release": graph.oldest_release,
        "bytes": model.size,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "parameters": graph.parameters,
        "macs": graph.macs,
        "peak_activations": {"bytes": peak.size, "operator": peak.operator.number} if peak else None,
        "operator_counts": dict(graph.counts),
        "operators": [_operator(graph, operator) for operator in graph.operators],
        "tensors": [_tensor(number, tensor) for number, tensor in enumerate(graph.tensors)],
        "other_graphs": graph.other_graphs,
        "signed": model.signed,
        "manifest": dataclasses.asdict(model.manifest) if model.manifest else None,
        "manifest_problem": model.manifest_problem,
        "pixels": model.pixels,
        "tflite_metadata": dataclasses.asdict(model.metadata) if model.metadata else None,
        "targets": [_verdict(verdict) for verdict in verdicts],
    }


def _operator(graph: Graph, operator: Operator) -> dict[str, Any]:
    parameters, stored = graph.weights_of(operator)
    return {
        "number": operator.number,
        "kind": operator.kind,
        "name": operator.name,
        "custom": operator.custom,
        "inputs": list(operator.inputs),
        "outputs": list(operator.outputs),
        "activation": operator.activation,
        "parameters": parameters,
        "bytes": stored,
        "macs": operator.macs,
    }


def _tensor(number: int, tensor: Tensor) -> dict[str, Any]:
    quantization = tensor.quantization
    return {
        "number": number,
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape) if tensor.shape is not None else None,
        "constant": tensor.constant,
        "bytes": tensor.stored if tensor.constant else tensor.size,
        "quantization": dataclasses.asdict(quantization) if quantization else None,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "target": verdict.target,
        "answer": verdict.answer,
        "summary": verdict.summary,
        "obstacles": [_obstacle(obstacle) for obstacle in verdict.obstacles],
        "estimate": dataclasses.asdict(verdict.estimate) if verdict.estimate else None,
        "board": dataclasses.asdict(BOARDS[verdict.target]) if verdict.target in BOARDS else None,
    }


def _obstacle(obstacle: Obstacle) -> dict[str, Any]:
    return {
        "operators": [{"number": operator.number, "kind": operator.kind} for operator in obstacle.operators],
        "why": obstacle.why,
        "remedy": obstacle.remedy,
    }
