"""Arm's Ethos-U NPUs, by Arm's own compiler Vela (ethos-u-vela, Apache-2.0), run on the file in a subprocess.

Cycles, time and memory are Vela's estimates, for the system that it assumes where no other is described.
"""

import contextlib
import csv
import importlib.util
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path

from edgecnn_export.formats import Io
from edgecnn_export.inspection.model import InspectedModel
from edgecnn_export.inspection.verdict import Fit, NpuEstimate, Obstacle, Target, Verdict, to_int8
from edgecnn_export.model_graph import Operator
from edgecnn_export.tflite.container import TFLITE
from edgecnn_export.tflite.read_graph import read_tflite
from edgecnn_runtime.errors import MissingExtraError, ModelError
from edgecnn_runtime.system.own_process import python_interpreter, run

# The values of Vela's --accelerator-config; the number is how many multiply-accumulates it does in a cycle.
ACCELERATORS = (
    "ethos-u55-32",
    "ethos-u55-64",
    "ethos-u55-128",
    "ethos-u55-256",
    "ethos-u65-256",
    "ethos-u65-512",
    "ethos-u85-128",
    "ethos-u85-256",
    "ethos-u85-512",
    "ethos-u85-1024",
    "ethos-u85-2048",
)
# The custom operator into which Vela puts what the NPU runs.
_NPU_OPERATOR = "ethos-u"
_TIMEOUT = 600.0  # seconds

_WARNING = re.compile(r"operator: (\w+), ofm: '(?P<name>[^']*)'\s*\nReason: (?P<reason>.*)")


def judge(model: InspectedModel, name: str) -> Verdict:
    """Compile a file for an NPU: what runs on it, what stays on the CPU, and Vela's estimates.

    Raises:
        MissingExtraError: Vela is not installed.
    """
    without = glance(model, name)
    if without is not None:
        return without
    command = vela_command()
    if command is None:
        raise MissingExtraError("Ethos-U", package="ethos-u-vela", extra="ethos-u")
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="edgecnn-"))
        except OSError:
            return Verdict(name, Fit.OPEN, "Vela needs a folder for temporary files, and none can be written")
        options = ["--accelerator-config", name, "--output-dir", folder, str(model.path.resolve())]
        done = run([*command, *options], timeout=_TIMEOUT)
        compiled = next(Path(folder).glob("*_vela.tflite"), None)
        table = next(Path(folder).glob("*_summary_*.csv"), None)
        if done.reason or compiled is None or table is None:
            last = (done.stderr + done.stdout).strip().splitlines()[-1:]
            return _refused(name, "".join(last) if last and done.code > 0 else f"Vela: {done.reason or 'no result'}")
        try:
            left = [operator for operator in read_tflite(compiled).operators if operator.kind != _NPU_OPERATOR]
        except ModelError as error:
            return _refused(name, str(error))
        with table.open(newline="", encoding="utf-8") as file:
            figures = next(csv.DictReader(file))
    return _compiled(model, name, left, figures, done.stdout)


def glance(model: InspectedModel, name: str) -> Verdict | None:
    """Judge what needs no compiler: networks in float. None where Vela must say."""
    products = [operator for operator in model.graph.operators if operator.macs]
    if products and set(model.float_operators).issuperset(products):
        obstacle = Obstacle(tuple(products), "computes on float32, the NPU on 8 and 16 bit integers", to_int8(model))
        return Verdict(name, Fit.NO, "nothing of it runs on the NPU", (obstacle,))
    return None


def vela_command() -> list[str] | None:
    """Find Vela: in this environment, or as a program of its own (it may be installed apart, with pipx)."""
    if importlib.util.find_spec("ethosu") is not None and importlib.util.find_spec("ethosu.vela") is not None:
        return [python_interpreter(), "-m", "ethosu.vela"]
    program = shutil.which("vela")
    return None if program is None else [str(Path(program).absolute())]


def _compiled(model: InspectedModel, name: str, left: list[Operator], figures: dict[str, str], printed: str) -> Verdict:
    total = len(model.graph.operators)
    ours = {operator.name: operator for operator in model.graph.operators}
    reasons = {match["name"]: match["reason"] for match in _WARNING.finditer(printed)}
    groups: dict[str, list[Operator]] = {}
    for operator in left:
        why = reasons.get(operator.name, "Vela leaves it on the CPU")
        groups.setdefault(why, []).append(ours.get(operator.name, operator))
    obstacles = tuple(Obstacle(tuple(group), why, _remedy(model, group)) for why, group in groups.items())
    estimate = NpuEstimate(
        cycles=int(float(figures["cycles_total"])),
        milliseconds=1000 * float(figures["inference_time"]),
        sram=_bytes(figures["sram_memory_used"]),
        flash=_bytes(figures["off_chip_flash_memory_used"]) + _bytes(figures["on_chip_flash_memory_used"]),
        dram=_bytes(figures["dram_memory_used"]),
        system=(f"{figures['system_config']}, {figures['memory_mode']}, {float(figures['core_clock']) / 1e6:.0f} MHz"),
    )
    if not left:
        return Verdict(name, Fit.YES, "no operator left on the CPU", (), estimate)
    if len(left) >= total:
        return Verdict(name, Fit.NO, "nothing of it runs on the NPU", obstacles)
    return Verdict(name, Fit.PARTLY, f"{len(left)} of {total} operators left on the CPU", obstacles, estimate)


def _remedy(model: InspectedModel, operators: list[Operator]) -> str:
    if all(operator in model.float_operators for operator in operators):
        return to_int8(model)
    if operators[0].kind.startswith("RESIZE"):
        return "train on images of the size that the network wants, so that it has nothing to resize"
    return "build the model without it; the NPU waits while the CPU computes it"


def _refused(name: str, why: str) -> Verdict:
    obstacle = Obstacle((), why, "run Vela on the file by hand to see all that it prints")
    return Verdict(name, Fit.NO, "Vela does not compile it", (obstacle,))


def _bytes(kibibytes: str) -> int:
    return round(1024 * float(kibibytes))


TARGETS = {name: Target(name, TFLITE, partial(judge, name=name), io=Io.INT8) for name in ACCELERATORS}
