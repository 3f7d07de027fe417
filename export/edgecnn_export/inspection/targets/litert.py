"""LiteRT on a CPU: does it open the file, and which operators does XNNPACK take?

Asked of LiteRT itself, not of a list: its answer holds for the version that is installed and for this machine's CPU; on
another architecture XNNPACK may take an operator more or less.
"""

import importlib.util
import json
from collections.abc import Sequence

from edgecnn_export.formats import Io
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, Obstacle, Target, Verdict, to_int8
from edgecnn_export.model_graph import Graph, Operator
from edgecnn_export.tflite.container import TFLITE
from edgecnn_runtime.system.own_process import run_python

NAME = "litert"

_TIMEOUT = 60.0  # seconds
_CONVERT_AGAIN = "update ai-edge-litert, or convert the model again"
# The first release of LiteRT whose QUANTIZE turns int8 into int16; tried with 1.2, 1.4, 2.0.3, 2.1.0 to 2.1.3.
_WIDENING = "2.1.3"


def judge(model: InspectedModel) -> Verdict:
    """Open the file with LiteRT and tell which operators run outside XNNPACK's fast kernels."""
    graph = model.graph
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
    if oldest := oldest_interpreters(graph):
        summary += f"; oldest interpreters by its operators: {oldest}"
    if not rest:
        return Verdict(NAME, Fit.YES, summary)
    slow = any(operator.macs for operator in rest)
    remedy = _remedy(model, rest) if slow else "not needed: right as it is, and cheap"
    obstacle = Obstacle(tuple(rest), "runs in LiteRT's plain kernels, not in XNNPACK", remedy)
    return Verdict(NAME, Fit.PARTLY if slow else Fit.YES, summary, (obstacle,))


def oldest_interpreters(graph: Graph) -> str | None:
    """Name the oldest release of each interpreter that has all operators of a file; None where the file does not tell.

    TensorFlow's own, tflite-runtime, which has its numbers and ended with 2.14, and LiteRT, which went on from 2.17.
    """
    if any(_to_sixteen(graph, operator) for operator in graph.operators):
        return f"ai-edge-litert {_WIDENING}"
    if graph.oldest_release is None:
        return None
    release = tuple(map(int, graph.oldest_release.split(".")[:2]))
    names = [f"TensorFlow {graph.oldest_release}"]
    names += [f"tflite-runtime {'.'.join(map(str, max(release, (2, 5))))}"] if release <= (2, 14) else []
    names += ["ai-edge-litert 1.0"] if release <= (2, 17) else []
    return ", ".join(names)


def _to_sixteen(graph: Graph, operator: Operator) -> bool:
    """Whether it turns integers of 8 bits into integers of 16 bits."""
    if operator.kind != "QUANTIZE":
        return False
    dtypes = [tensor.dtype for tensor in graph.activations_of(operator)]
    return dtypes in (["int8", "int16"], ["uint8", "int16"])


def _remedy(model: InspectedModel, slow: Sequence[Operator]) -> str:
    """Say how the products among some operators come to run in XNNPACK."""
    graph = model.graph
    sixteen = any(tensor.dtype == "int16" for operator in slow for tensor in graph.activations_of(operator))
    if not sixteen:
        return "build the network without it, or make sure that its sizes are fixed and its weights constant"
    if model.manifest is None:
        return "on a CPU, convert the model that it came from with activations of 8 bits"
    return f"on a CPU, {to_int8(model, Io.UINT8)}; 16 bits are for NPUs, DSPs and microcontrollers"


def _refused(model: InspectedModel, why: str) -> Verdict:
    custom = tuple(operator for operator in model.graph.operators if operator.custom)
    remedy = "build the model without it, or run it with an interpreter that has its kernel"
    return Verdict(
        NAME,
        Fit.NO,
        "LiteRT does not open it",
        (Obstacle(custom, why, remedy if custom else _CONVERT_AGAIN),),
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


TARGET = Target(NAME, TFLITE, judge)
