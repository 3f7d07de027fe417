"""From a third-party model's output tensor to probabilities: which output, its classes, its integers, logits or not."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.contract import Fact, Origin
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.model_files.graph_facts import GraphFacts
from edgecnn_runtime.third_party_models.given import Given, OutputForm
from edgecnn_runtime.third_party_models.no_classifier import SORTED, check_scores, describe_outputs

DecodeOutput = Callable[[NDArray[Any]], NDArray[np.float32]]

# How far probabilities may sum up to something else than 1: a uint8 softmax of 1,000 classes has steps of 1/256.
_TOLERANCE, _QUANTIZED_TOLERANCE = 1e-2, 0.25
_SOFTMAX = frozenset({"SOFTMAX", "Softmax"})
_LOG_SOFTMAX = frozenset({"LOG_SOFTMAX", "LogSoftmax"})
_SIGMOID = frozenset({"LOGISTIC", "Sigmoid"})
_LINEAR = frozenset({"FULLY_CONNECTED", "CONV_2D", "Gemm", "MatMul", "Conv"})


@dataclass(frozen=True, eq=False)
class OutputDecoding:
    """How an output tensor becomes probabilities."""

    number: int  # of the output
    classes: int
    decode: DecodeOutput
    fact: Fact


def find_decoding(
    tensors: Sequence[TensorFacts], probed: Sequence[NDArray[Any]], given: Given, facts: GraphFacts, *, images: int
) -> OutputDecoding:
    """Decide what an output means.

    Args:
        tensors: the outputs.
        probed: what came out of each for some images.
        given: what the caller said.
        facts: how the graph ends.
        images: how many rows came out.

    Raises:
        ModelError: no output, or several, that can be a classification; NaN among its numbers.
        InputError: what was given does not fit.
    """
    number = _choose(tensors, probed, given, facts, images)
    tensor, raw = tensors[number], probed[number]
    units = raw.size // images
    dequantize = _dequantizer(tensor, facts)
    rows = dequantize(raw.reshape(images, units))
    if not np.isfinite(rows).all():
        raise ModelError(f"output {tensor.name}: expected numbers, got NaN or infinity; check how pixels are scaled")
    last = facts.last_operators.get(tensor.name, "?")
    if given.output_is is None:
        check_scores(rows, last, has_labels=len(given.labels or facts.metadata.labels or ()) == max(2, units))
    form, fact = _form(tensor, rows, given, facts)
    activate = _activation(form, units, logarithms=facts.last_operators.get(tensor.name) in _LOG_SOFTMAX)
    if units == 1:
        fact = Fact(f"{fact.value} of the second of two classes", fact.origin, fact.why)
    if len(tensors) > 1:
        chosen = None if given.output_name else f"of {len(tensors)} outputs the one that can be a classification"
        why = "; ".join(filter(None, [fact.why, chosen]))
        fact = Fact(f"{fact.value}, from {tensor.name}", Origin.ASSUMED if chosen else fact.origin, why)

    def decode(output: NDArray[Any]) -> NDArray[np.float32]:
        return activate(dequantize(output.reshape(-1, units)))

    return OutputDecoding(number, max(2, units), decode, fact)


def _choose(
    tensors: Sequence[TensorFacts], probed: Sequence[NDArray[Any]], given: Given, facts: GraphFacts, images: int
) -> int:
    """Return the number of the output that holds the scores of the classes.

    Raises:
        ModelError: there is none, or there are several.
        InputError: the one that the caller names is none.
    """
    rows = [number for number, raw in enumerate(probed) if _is_row(raw, images)]
    names = [tensor.name for tensor in tensors]
    if given.output_name is not None:
        named = [number for number in rows if names[number] == given.output_name]
        if not named:
            able = ", ".join(names[number] for number in rows) or "none"
            raise InputError(f"--output-name: expected an output (N, classes): {able}; got {given.output_name}")
        return named[0]

    def units(number: int) -> int:
        return probed[number].size // images

    def is_identifier(number: int) -> bool:
        """Tell whether an output is the number of the class, as ArgMax gives it beside the scores."""
        tensor = tensors[number]
        scaled = tensor.scale is not None or tensor.name in facts.quantization
        return not tensor.dtype.startswith("float") and not scaled

    def ends(number: int, kinds: Collection[str]) -> bool:
        return facts.last_operators.get(names[number]) in kinds

    found = [number for number in rows if not is_identifier(number) and not ends(number, SORTED)]
    wanted = len(given.labels or facts.metadata.labels or ())
    # As many as there are labels; several before a single number, such as the score of the winner; probabilities
    # before logits; logits before features.
    narrower: tuple[Callable[[int], bool], ...] = (
        lambda number: max(2, units(number)) == wanted,
        lambda number: units(number) > 1,
        lambda number: ends(number, _SOFTMAX),
        lambda number: ends(number, _LINEAR | _SIGMOID | _LOG_SOFTMAX),
    )
    for fits in narrower:
        found = [number for number in found if fits(number)] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise ModelError(describe_outputs(tensors, probed, facts, images))
    listed = ", ".join(f"{names[number]} (N, {units(number)})" for number in found)
    alike = len(set(map(units, found))) == 1
    heads = ", heads of equal size, as of a reader of several characters" if alike and len(found) > 2 else ""
    raise ModelError(
        f"expected one output (N, classes), got several that can be: {listed}{heads}; choose one with --output-name "
        f"{names[found[0]]}" + ("" if alike else ", or name its classes with --labels")
    )


def _is_row(raw: NDArray[Any], images: int) -> bool:
    """Tell whether an output holds one row of numbers per image, perhaps among axes of 1."""
    if raw.dtype.kind not in "fiu" or raw.size == 0 or raw.size % images:
        return False
    axes = raw.shape[1:] if raw.ndim and raw.shape[0] == images else raw.shape
    return sum(size > 1 for size in axes) <= 1 and (images == 1 or raw.shape[0] == images)


def _dequantizer(tensor: TensorFacts, facts: GraphFacts) -> DecodeOutput:
    if tensor.dtype.startswith("float"):
        return lambda output: output.astype(np.float32, copy=False)
    scale, zero_point = tensor.scale, tensor.zero_point
    if scale is None:
        scale, zero_point = facts.quantization.get(tensor.name, (None, 0))
    if scale is None:
        raise ModelError(f"output {tensor.name}: expected floats, or integers with a scale, got {tensor.dtype}")
    factor, zero = np.float32(scale), np.float32(zero_point)
    return lambda output: factor * (output.astype(np.float32) - zero)


def _form(tensor: TensorFacts, rows: NDArray[np.float32], given: Given, facts: GraphFacts) -> tuple[OutputForm, Fact]:
    last, units = facts.last_operators.get(tensor.name, "?"), rows.shape[1]
    if given.output_is is not None:
        return given.output_is, Fact(given.output_is.value, Origin.CALLER)
    if (last in _SOFTMAX and units > 1) or (last in _SIGMOID and units == 1):
        return OutputForm.PROBABILITIES, Fact("probabilities", Origin.MODEL, f"its last operator is {last}")
    if last in _LOG_SOFTMAX:
        return OutputForm.LOGITS, Fact("logarithms of probabilities", Origin.MODEL, f"its last operator is {last}")
    if last in _SIGMOID:
        why = f"its last operator is {last}: {units} classes that need not exclude one another, and do not sum up to 1"
        return OutputForm.PROBABILITIES, Fact("probabilities", Origin.ASSUMED, why)
    if last in _LINEAR:
        return OutputForm.LOGITS, Fact("logits", Origin.MODEL, f"its last operator is {last}")
    # An operator that tells nothing: what comes out of it does.
    tolerance = _TOLERANCE if tensor.dtype.startswith("float") else _QUANTIZED_TOLERANCE
    within = rows.min() >= 0 and rows.max() <= 1 + tolerance
    if within and (units == 1 or bool(np.abs(rows.sum(axis=1) - 1).max() <= tolerance)):
        why = "for test images they are in 0…1" + ("" if units == 1 else " and sum up to 1")
        return OutputForm.PROBABILITIES, Fact("probabilities", Origin.ASSUMED, why)
    why = f"for test images they are in {rows.min():.3g}…{rows.max():.3g}; --output-is says otherwise"
    return OutputForm.LOGITS, Fact("logits", Origin.ASSUMED, why)


def _activation(form: OutputForm, units: int, *, logarithms: bool) -> DecodeOutput:
    def softmax(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        exponentials = np.exp(rows - rows.max(axis=1, keepdims=True))
        result: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return result

    def two_classes(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([np.float32(1) - rows, rows], axis=1)

    if form is OutputForm.PROBABILITIES:
        return two_classes if units == 1 else lambda rows: rows
    if units == 1:
        if logarithms:
            raise InputError("output: expected two or more classes of a log-softmax, got one")
        # Of tanh, which overflows nowhere: sigmoid(x) = (1 + tanh(x / 2)) / 2.
        return lambda rows: two_classes((np.float32(0.5) * (np.float32(1) + np.tanh(rows / 2))).astype(np.float32))
    return softmax
