"""OpenVINO on a CPU: does it open the file, and does what is quantized run on integers?

Asked of OpenVINO itself: its answer holds for the version that is installed and for this machine's CPU.
"""

import json

from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict
from edgecnn_export.tflite.container import TFLITE
from edgecnn_runtime.backends.engines import ENGINES
from edgecnn_runtime.system.own_process import run_python

NAME = "openvino"

_TIMEOUT = 120.0  # seconds; it compiles the graph


class _OpenVino(Target):
    """It takes the files of every container."""

    def takes(self, model: InspectedModel) -> bool:
        """Say yes."""
        del model
        return True


def judge(model: InspectedModel) -> Verdict:
    """Open the file with OpenVINO; of a quantized one, tell how many products run on integers."""
    if not ENGINES[NAME].is_installed:
        return Verdict(NAME, Fit.OPEN, 'OpenVINO is not installed; run: pip install "edgecnn[openvino]"')
    module = "edgecnn_export.inspection.targets.openvino_probe"
    ended = run_python("-m", module, str(model.path.resolve()), timeout=_TIMEOUT)
    if ended.reason:
        return _refused(model, ended.reason)
    answer = json.loads(ended.answer)
    if "error" in answer:
        return _refused(model, answer["error"])
    summary = f"OpenVINO {answer['version']} opens it"
    if answer["integers"]:
        summary += f"; {answer['integers']} of {answer['products']} convolutions and matrix products run on integers"
    return Verdict(NAME, Fit.YES, summary)


def _refused(model: InspectedModel, why: str) -> Verdict:
    custom = tuple(operator for operator in model.graph.operators if operator.custom)
    remedy = "build the model without it" if custom else "run it with another engine, or export it anew"
    return Verdict(NAME, Fit.NO, "OpenVINO does not open it", (Obstacle(custom, why[:300], remedy),))


TARGET = _OpenVino(NAME, TFLITE, judge)
