"""Asks the inspection of model files what a benchmark cannot measure: microcontrollers and NPUs that are not here."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.model_formats import find_format

if TYPE_CHECKING:
    from edgecnn_benchmarks.measuring.candidates import Candidate
    from edgecnn_benchmarks.measuring.device_estimates import DeviceEstimate, FileEstimate
    from edgecnn_export.inspection.model import InspectedModel
    from edgecnn_export.inspection.verdict import Verdict

_TITLES = {"tflite-micro": "TensorFlow Lite for Microcontrollers", "edgetpu": "Google Coral Edge TPU"}


def estimate_small_devices(candidates: "Sequence[Candidate]") -> "tuple[FileEstimate, ...]":
    """Estimate the int8 TFLite files; the others are not for such devices.

    A file that cannot be read is skipped: the benchmark says why.
    """
    from edgecnn_export.inspection.model import inspect_model

    estimates = []
    for candidate in candidates:
        if candidate.is_additional:
            continue
        model_format = find_format(candidate.path)
        if model_format is None or not model_format.for_microcontrollers:
            continue
        try:
            model = inspect_model(candidate.path)
        except (MissingExtraError, ModelError):
            continue
        if _is_int8(model):
            estimates.append(_estimate(candidate.file, model))
    return tuple(estimates)


def _is_int8(model: "InspectedModel") -> bool:
    """Whether it computes on integers, of 8 bits at least where it begins; its head may have 16."""
    products = [operator for operator in model.graph.operators if operator.macs]
    if not products or model.computes_in_float:
        return False
    return any(tensor.dtype in ("int8", "uint8") for tensor in model.graph.activations_of(products[0]))


def _estimate(name: str, model: "InspectedModel") -> "FileEstimate":
    from edgecnn_benchmarks.measuring.device_estimates import FileEstimate
    from edgecnn_export.inspection.targets import USUAL_NPU, judge
    from edgecnn_export.inspection.targets.boards import BOARDS
    from edgecnn_export.inspection.targets.ethos_u import vela_command
    from edgecnn_export.inspection.verdict import Fit, Verdict

    boards = [board.name for board in BOARDS.values() if board.flash is not None]
    npu = [USUAL_NPU] if vela_command() is not None else []
    verdicts = judge(model, ["tflite-micro", "edgetpu", *npu, *boards])
    if not npu:
        install = 'Arm\'s compiler Vela is not installed: pip install "edgecnn[ethos-u]"'
        verdicts.insert(2, Verdict(USUAL_NPU, Fit.OPEN, install))
    arena = model.manifest.arena_bytes if model.manifest else None
    live = model.peak.size if model.peak else None
    return FileEstimate(
        file=name,
        arena_bytes=live if arena is None else arena,
        arena_measured=arena is not None,
        operators=tuple(sorted({operator.kind for operator in model.graph.operators})),
        devices=tuple(map(_device, verdicts)),
    )


def _device(verdict: "Verdict") -> "DeviceEstimate":
    from edgecnn_benchmarks.measuring.device_estimates import DeviceEstimate
    from edgecnn_export.inspection.targets.boards import BOARDS

    board, npu = BOARDS.get(verdict.target), verdict.estimate
    obstacle = f"; {verdict.obstacles[0].why}" if verdict.answer == "no" and verdict.obstacles else ""
    return DeviceEstimate(
        device=verdict.target,
        title=board.title if board else _TITLES.get(verdict.target, f"Arm {verdict.target.title()}, by Vela"),
        answer=str(verdict.answer),
        summary=verdict.summary + obstacle,
        flash_bytes=board.flash if board else None,
        ram_bytes=board.ram if board else None,
        cycles=npu.cycles if npu else None,
        milliseconds=npu.milliseconds if npu else None,
        system=npu.system if npu else None,
    )
