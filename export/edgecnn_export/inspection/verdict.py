"""The answer to one question: does this file run there, and what would have to change?"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from edgecnn_export.formats import FORMATS
from edgecnn_export.inspection.graph import Operator
from edgecnn_export.inspection.model import InspectedModel


class Fit(enum.StrEnum):
    """How much of the model runs on a target."""

    YES = "yes"
    PARTLY = "partly"  # it runs, but some of it not on the part that makes it fast
    NO = "no"
    OPEN = "not checked"


@dataclass(frozen=True)
class Obstacle:
    """What is in the way: which operators (none: the whole file), why, and what would remove it."""

    operators: tuple[Operator, ...]
    why: str
    remedy: str

    @property
    def what(self) -> str:
        """Name the operators: their kind, and up to three of their numbers."""
        kinds = ", ".join(dict.fromkeys(operator.kind for operator in self.operators))
        numbers = [str(operator.number) for operator in self.operators]
        shown = ", ".join(numbers[:3]) + (f" … {numbers[-1]}, {len(numbers)} in all" if len(numbers) > 3 else "")
        return f"{kinds} (operator {shown})"


@dataclass(frozen=True)
class NpuEstimate:
    """What a compiler expects of its NPU, by its own model of it."""

    cycles: int
    milliseconds: float
    sram: int  # bytes
    flash: int  # bytes
    dram: int  # bytes
    system: str  # the memories and the clock that it assumes


@dataclass(frozen=True)
class Verdict:
    """The answer for one target."""

    target: str
    answer: Fit
    summary: str
    obstacles: tuple[Obstacle, ...] = ()
    estimate: NpuEstimate | None = None


def by_kind(operators: Iterable[Operator]) -> list[tuple[Operator, ...]]:
    """Group operators by their kind, in the order in which the kinds appear."""
    groups: dict[str, list[Operator]] = {}
    for operator in operators:
        groups.setdefault(operator.kind, []).append(operator)
    return [tuple(group) for group in groups.values()]


def to_int8(model: InspectedModel) -> str:
    """Say how one comes by the full-integer TFLite file of this model, its input and output included."""
    if model.manifest is not None and model.manifest.in_float:
        return (
            "have all of it in int8 ('--io int8' or a larger --max-drop, or a network without layers that have no "
            "integer form)"
        )
    if not model.computes_in_float:
        if model.manifest is not None:
            return "take 8-bit input and output ('edgecnn export RUN --int8 --io int8')"
        return "convert it with 8-bit input and output (inference_input_type and inference_output_type)"
    if model.manifest is not None:
        name = model.path.stem.removesuffix(f"_{model.manifest.scheme}")
        return f"use {name}_int8.tflite ('edgecnn export RUN --int8')"
    return "convert the model it came from with full-integer int8 quantization ('edgecnn export MODEL --int8')"


def takes_only(container: str, target: str, model: InspectedModel, *, int8: bool = False) -> Verdict:
    """Refuse a file of the other container, and say how one comes by this model in the right one.

    Where `int8` is set, the target needs a full-integer file as well.
    """
    title = {"tflite": "TFLite", "onnx": "ONNX"}[container]
    if model.manifest is None:
        remedy = f"convert the model that it came from to {title}" + (", in full-integer int8" if int8 else "")
    else:
        name = f"{container}-{'int8' if int8 else model.manifest.scheme}"
        name = name if name in FORMATS else f"{container}-float32"
        remedy = f"use the .{container} file of the same run ('edgecnn export RUN --format {name}')"
    obstacle = Obstacle((), f"it takes {title} files", remedy)
    return Verdict(target, Fit.NO, f"not {'an' if container == 'onnx' else 'a'} {title} file", (obstacle,))
