"""The answer to one question: does this file run there, and what would have to change?"""

import dataclasses
import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edgecnn_export.containers import Container
from edgecnn_export.formats import FORMATS, INT8_TFLITE, Io
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.model_graph import Operator
from edgecnn_runtime.manifest import Scheme


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
        """Name the operators: their kind, and up to four of their numbers."""
        kinds = ", ".join(dict.fromkeys(operator.kind for operator in self.operators))
        numbers = [str(operator.number) for operator in self.operators]
        shown = ", ".join(numbers[: 3 if len(numbers) > 4 else 4]) + (
            f" … {numbers[-1]}, {len(numbers)} in all" if len(numbers) > 4 else ""
        )
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


def to_int8(model: InspectedModel, io: Io = Io.INT8) -> str:
    """Say how one comes by the int8 TFLite file of this model in the form that a target asks for."""
    if model.manifest is None:
        if model.computes_in_float:
            return "convert the model it came from with full-integer int8 quantization ('edgecnn export MODEL --int8')"
        return "convert it with 8-bit input and output (inference_input_type and inference_output_type)"
    command = "'edgecnn export RUN --int8" + ("'" if io is Io.UINT8 else f" --io {io}'")
    if model.manifest.in_float:
        return (
            f"have all of it in int8 ({command} or a larger --max-drop, or a network without layers that have no "
            "integer form)"
        )
    wanted = dataclasses.replace(INT8_TFLITE, io=io)
    run = model.path.stem.rpartition(f"_{model.manifest.scheme}")[0] or model.manifest.name
    return f"use {run}_{wanted.form}{wanted.suffix} ({command})"


@dataclass(frozen=True)
class Target:
    """An interpreter or an NPU, and which files it takes."""

    name: str  # on the command line
    container: Container
    judge: Callable[[InspectedModel], Verdict]  # of a file of that container
    io: Io | None = None  # the form of int8 TFLite that suits it best, where it is made for int8

    def takes(self, model: InspectedModel) -> bool:
        """Whether the file is of its container."""
        return model.container is self.container

    def ask(self, model: InspectedModel) -> Verdict:
        """Judge a file of any container."""
        return self.judge(model) if self.takes(model) else self.refuse(model)

    def refuse(self, model: InspectedModel) -> Verdict:
        """Refuse a file of another container, and say how one comes by this model in the right one."""
        wanted = self.container.format
        if model.manifest is None:
            whole = ", in full-integer int8" if self.io else ""
            remedy = f"convert the model that it came from to {wanted.title}{whole}"
        elif self.io:
            remedy = to_int8(model, self.io)
        else:
            name = f"{wanted.name}-{model.manifest.scheme}"
            name = name if name in FORMATS else f"{wanted.name}-{Scheme.FLOAT32}"
            remedy = f"use the {wanted.suffix} file of the same run ('edgecnn export RUN --format {name}')"
        article = "an" if wanted.title[0] in "AEIO" else "a"
        obstacle = Obstacle((), f"it takes {wanted.title} files", remedy)
        return Verdict(self.name, Fit.NO, f"not {article} {wanted.title} file", (obstacle,))
