"""Where a model may run, one kind of target per file; `judge` asks each target that is named."""

from collections.abc import Sequence

from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.targets import edge_tpu, ethos_u, litert, onnxruntime, openvino, tflite_micro
from edgecnn_export.inspection.targets.boards import BOARDS, LINUX_INTERPRETERS, SHORT_NAMES, find_board
from edgecnn_export.inspection.verdict import Fit, Verdict
from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.choices import did_you_mean
from edgecnn_runtime.errors import InputError

# Interpreters and the Edge TPU answer at once; Vela compiles for seconds.
_QUICK = {
    target.name: target
    for target in (litert.TARGET, onnxruntime.TARGET, openvino.TARGET, tflite_micro.TARGET, edge_tpu.TARGET)
}

# Asked where no target is named.
USUAL_NPU = "ethos-u55-128"
TARGETS = (*_QUICK, *ethos_u.ACCELERATORS, *BOARDS)


def check_targets(names: Sequence[str]) -> None:
    """Refuse a name that is no target, before anything is read.

    Raises:
        InputError: with the known ones.
    """
    for name in names:
        if name not in TARGETS and find_board(name) is None:
            known = (*TARGETS, *SHORT_NAMES)
            raise InputError(
                f"target: expected one of {', '.join(known)} or a board such as flash=1M,ram=256K, got {name!r}"
                f"{did_you_mean(name, known)}"
            )


def judge(model: InspectedModel, names: Sequence[str] = ()) -> list[Verdict]:
    """Judge a model for each target named, in that order.

    With none named: for all that answer within a second or so, but for the interpreters of other containers
    and OpenVINO where it is not installed.

    Raises:
        InputError: a name that is no target.
        MissingExtraError: an Ethos-U was named and Vela is not installed.
    """
    check_targets(names)
    quick: dict[str, Verdict] = {}

    def ask(name: str) -> Verdict:
        if name not in quick:
            quick[name] = _QUICK[name].ask(model)
        return quick[name]

    verdicts = []
    others = [target.name for target in LINUX_INTERPRETERS.values() if not target.takes(model)]
    if not ENGINES[openvino.NAME].is_installed:
        others.append(openvino.NAME)
    usual = [name for name in (*_QUICK, USUAL_NPU, *BOARDS) if name not in others]
    for name in dict.fromkeys(names) or usual:
        board = find_board(name)
        if name in _QUICK:
            verdicts.append(ask(name))
        elif board is not None:
            verdicts.append(board.judge(model, ask(board.runtime(model).name)))
        elif names or not ethos_u.TARGETS[name].takes(model):
            verdicts.append(ethos_u.TARGETS[name].ask(model))
        else:
            summary = f"Arm's compiler takes seconds; ask with --target {name}"
            verdicts.append(ethos_u.glance(model, name) or Verdict(name, Fit.OPEN, summary))
    return verdicts
