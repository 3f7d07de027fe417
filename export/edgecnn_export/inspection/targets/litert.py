"""LiteRT on a CPU: does it open the file, and which operators does XNNPACK take?

Asked of LiteRT itself, not of a list: its answer holds for the version that is installed and for this machine's CPU; on
another architecture XNNPACK may take an operator more or less.
"""

import importlib.util
import json
from collections.abc import Sequence

from edgecnn_export.inspection.graph import Graph
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Verdict, takes_only
from edgecnn_runtime.system.own_process import run_python

NAME = "litert"

_TIMEOUT = 60.0  # seconds


def judge(model: InspectedModel) -> Verdict:
    """Open the file with LiteRT and tell which operators run outside XNNPACK's fast kernels."""
    graph = model.graph
    if graph.container != "tflite":
        return takes_only("tflite", NAME, model)
    if importlib.util.find_spec("ai_edge_litert") is None:
        return Verdict(NAME, Fit.OPEN, 'LiteRT is not installed; run: pip install "edgecnn[litert]"')
    module = "edgecnn_export.inspection.targets.litert_probe"
    ended = run_python("-m", module, str(model.path.resolve()), timeout=_TIMEOUT)
    if ended.reason:
        return _refused(model, ended.reason)
    answer = json.loads(ended.answer)
    if "error" in answer:
        return _refused(model, " ".join(str(answer["error"]).split()))
    delegates = answer["nodes"][len(graph.operators) :]
    taken = _inside(graph, delegates)
    rest = [o for o in graph.operators if o.number not in taken and o.number not in graph.unpacking]
    total = len(graph.operators) - len(graph.unpacking)
    summary = f"LiteRT {answer['version']} opens it; XNNPACK takes {total - len(rest)} of {total} operators"
    if not rest:
        return Verdict(NAME, Fit.YES, summary)
    slow = any(operator.macs for operator in rest)
    remedy = "convert it anew, with a TensorFlow of today" if slow else "not needed: right as it is, and cheap"
    obstacle = Obstacle(tuple(rest), "runs in LiteRT's plain kernels, not in XNNPACK", remedy)
    return Verdict(NAME, Fit.PARTLY if slow else Fit.YES, summary, (obstacle,))


def _refused(model: InspectedModel, why: str) -> Verdict:
    custom = tuple(operator for operator in model.graph.operators if operator.custom)
    remedy = "build the model without it, or run it with an interpreter that has its kernel"
    return Verdict(
        NAME,
        Fit.NO,
        "LiteRT does not open it",
        (Obstacle(custom, why, remedy if custom else "convert the model again with a TensorFlow of today"),),
    )


def _inside(graph: Graph, delegates: Sequence[dict[str, list[int]]]) -> set[int]:
    """Return the operators between the inputs and the outputs of the delegates' nodes."""
    taken: set[int] = set()
    for node in delegates:
        waiting, borders = list(node["outputs"]), set(node["inputs"])
        while waiting:
            number = waiting.pop()
            operator = graph.producer.get(number)
            if number in borders or operator is None or operator.number in taken:
                continue
            taken.add(operator.number)
            waiting += [source for source in operator.inputs if source is not None]
    return taken
