"""What is wrong with an installation, and the command that fixes it.

`look` gathers the facts, `find_problems` judges them; the second is a pure function, so that it can be tested
with situations that no test machine is in.
"""

import enum
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn_benchmarks.machine.cuda import ONNX_RUNTIME, TENSORFLOW, Cuda, find_cuda
from edgecnn_benchmarks.machine.description import Machine, describe_machine
from edgecnn_benchmarks.machine.extras import Extra, installed_extras
from edgecnn_benchmarks.machine.probes import (
    DelegateProbe,
    EngineProbe,
    Gpu,
    probe_delegates,
    probe_engines,
    probe_gpu,
)
from edgecnn_runtime.backends import Provider
from edgecnn_runtime.backends.engines import ENGINES

# The values that TensorFlow takes for yes (tensorflow/__init__.py).
_YES = ("1", "true", "True")

# The releases of onnxruntime-gpu by the CUDA for which they are built.
_ONNX_RUNTIMES = {12: ">=1.21,<1.27", 13: ">=1.27"}

# The instructions that multiply int8 directly, of those that `machine` looks for.
DIRECT_INT8 = {
    "amx_int8": "AMX multiplies whole int8 matrices",
    "avx512_vnni": "VNNI multiplies int8 directly",
    "avx_vnni": "VNNI multiplies int8 directly",
    "i8mm": "the int8 matrix instructions multiply int8 directly",
    "asimddp": "the dot-product instructions multiply int8 directly",
}


class Severity(enum.StrEnum):
    """How much a problem matters."""

    BROKEN = "broken"  # something does not work
    WARNING = "warning"  # it works, and not as well as one may expect


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong, and what to do about it: a command line where one fixes it."""

    severity: Severity
    what: str
    fix: str


@dataclass(frozen=True)
class Places:
    """Where edgecnn keeps and finds image sets."""

    home: Path
    # The prepared sets in it.
    prepared: tuple[str, ...]
    # $EDGECNN_DATA
    data: Path | None


@dataclass(frozen=True)
class Situation:
    """Everything that is looked at."""

    machine: Machine
    extras: tuple[Extra, ...]
    backends: tuple[EngineProbe, ...]
    gpu: Gpu
    cuda: Cuda
    places: Places
    home_writable: bool
    data_exists: bool
    legacy_keras: bool
    delegates: tuple[DelegateProbe, ...] = ()


def look(places: Places, *, delegates: Sequence[str] = ()) -> Situation:
    """Look at this machine and this environment; takes a second or two, a minute where a library hangs."""
    return Situation(
        machine=describe_machine(),
        extras=installed_extras(),
        backends=probe_engines(),
        gpu=probe_gpu(),
        cuda=find_cuda(),
        places=places,
        home_writable=_is_writable(places.home),
        data_exists=places.data is not None and places.data.is_dir(),
        legacy_keras=os.environ.get("TF_USE_LEGACY_KERAS") in _YES,
        delegates=probe_delegates(delegates),
    )


def find_problems(situation: Situation) -> tuple[Diagnosis, ...]:
    """Judge a situation: what is broken first, then the warnings."""
    problems = [
        *_package_problems(situation.extras),
        *_backend_problems(situation.backends, situation.gpu),
        *_delegate_problems(situation.delegates),
        *_environment_problems(situation),
        *_gpu_problems(situation.gpu),
        *_cuda_problems(situation),
        *_cpu_problems(situation.machine),
    ]
    return tuple(sorted(problems, key=lambda problem: problem.severity is not Severity.BROKEN))


def int8_outlook(features: tuple[str, ...] | None) -> str:
    """Say in a sentence what the processor's instructions mean for the speed of int8 models."""
    if features is None:
        return "this system does not report its instructions; 'edgecnn bench' measures what int8 gains"
    direct = [reason for feature, reason in DIRECT_INT8.items() if feature in features]
    if direct:
        return f"{direct[0]}: int8 models run clearly faster than float32"
    return (
        "no instruction multiplies int8 directly (VNNI on x86, dot product on ARM): "
        "int8 models are as small as ever, and gain less speed over float32"
    )


def _package_problems(extras: tuple[Extra, ...]) -> list[Diagnosis]:
    if not extras:
        what = "edgecnn runs from its source folder and is not installed, so its extras are not known"
        return [Diagnosis(Severity.WARNING, what, "pip install -e . in that folder")]
    needed = {requirement for extra in extras for requirement in extra.requirements}
    too_old = [
        Diagnosis(
            Severity.BROKEN,
            f"expected {requirement.package} {requirement.minimum} or later, got {requirement.installed}",
            f'pip install --upgrade "{requirement.package}>={requirement.minimum}"',
        )
        for requirement in sorted(needed, key=lambda requirement: requirement.package)
        if requirement.too_old
    ]
    missing = [
        Diagnosis(
            Severity.BROKEN,
            f"edgecnn cannot do without {', '.join(extra.missing)}, not installed",
            f"pip install {' '.join(extra.missing)}",
        )
        for extra in extras
        if not extra.name and extra.missing
    ]
    return too_old + missing


def _backend_problems(backends: tuple[EngineProbe, ...], gpu: Gpu) -> list[Diagnosis]:
    problems = []
    for backend in backends:
        first, *others = backend.packages or ("",)
        if set(others) & set(ENGINES[backend.name].rivals(first)):
            # Removing one of them also removes files of the other, so both go and one comes back.
            kept = backend.packages[-1] if gpu.devices else first
            problems.append(
                Diagnosis(
                    Severity.BROKEN,
                    f"{' and '.join(backend.packages)} are both installed and overwrite each other's files",
                    f"pip uninstall -y {' '.join(backend.packages)} && pip install {kept}",
                )
            )
        elif backend.error is not None:
            problems.append(
                Diagnosis(
                    Severity.BROKEN,
                    f"{backend.packages[0]} is installed and does not load: {backend.error}",
                    f"pip install --force-reinstall --no-cache-dir {backend.packages[0]}",
                )
            )
    if not any(backend.packages for backend in backends):
        problems.append(
            Diagnosis(
                Severity.BROKEN,
                "no interpreter is installed, so no model can be run",
                f'pip install "edgecnn[{next(iter(ENGINES.values())).extra(Provider.CPU)}]"',
            )
        )
    return problems


def _delegate_problems(delegates: tuple[DelegateProbe, ...]) -> list[Diagnosis]:
    return [
        Diagnosis(
            Severity.BROKEN,
            f"the delegate {delegate.text} does not load: {delegate.error}",
            "install its maker's library for this processor, connect its hardware, and name the library by its path",
        )
        for delegate in delegates
        if delegate.error is not None
    ]


def _environment_problems(situation: Situation) -> list[Diagnosis]:
    problems = []
    if situation.legacy_keras:
        problems.append(
            Diagnosis(
                Severity.BROKEN,
                "TF_USE_LEGACY_KERAS is set: TensorFlow then brings Keras 2, and edgecnn trains with Keras 3",
                "unset TF_USE_LEGACY_KERAS",
            )
        )
    if not situation.home_writable:
        problems.append(
            Diagnosis(
                Severity.BROKEN,
                f"prepared image sets cannot be written: no permission for {situation.places.home}",
                "export EDGECNN_HOME=FOLDER, a folder that you may write",
            )
        )
    if situation.places.data is not None and not situation.data_exists:
        problems.append(
            Diagnosis(
                Severity.WARNING,
                f"EDGECNN_DATA names {situation.places.data}, and there is no such folder",
                "export EDGECNN_DATA=FOLDER, the folder that holds your image sets, or unset EDGECNN_DATA",
            )
        )
    return problems


def _gpu_problems(gpu: Gpu) -> list[Diagnosis]:
    if gpu.devices and gpu.tensorflow == ():
        return [
            Diagnosis(
                Severity.WARNING,
                f"TensorFlow does not see the GPU ({gpu.devices[0]}) and trains on the CPU",
                'pip install "tensorflow[and-cuda]"',
            )
        ]
    return []


def _cuda_problems(situation: Situation) -> list[Diagnosis]:
    """Compare the CUDA that ONNX Runtime was built for with what is installed, also where there is no GPU."""
    wanted, installed = situation.cuda.wanted, situation.cuda.installed
    loads = any("CUDAExecutionProvider" in backend.providers for backend in situation.backends)
    if ONNX_RUNTIME not in wanted or wanted[ONNX_RUNTIME] in installed or loads:
        return []
    if not installed and not situation.gpu.devices:
        return []
    there = f"CUDA {' and '.join(map(str, installed))}" if installed else "no CUDA"
    # TensorFlow has no release for another CUDA, ONNX Runtime has.
    releases = _ONNX_RUNTIMES.get(wanted.get(TENSORFLOW, wanted[ONNX_RUNTIME]), "")
    return [
        Diagnosis(
            Severity.BROKEN,
            f"--provider cuda: {ONNX_RUNTIME} is built for CUDA {wanted[ONNX_RUNTIME]}, and {there} is installed",
            f'pip install "{ONNX_RUNTIME}[cuda,cudnn]{releases}"',
        )
    ]


def _cpu_problems(machine: Machine) -> list[Diagnosis]:
    problems = []
    if machine.cpu_features is not None and not set(machine.cpu_features) & set(DIRECT_INT8):
        problems.append(
            Diagnosis(
                Severity.WARNING,
                int8_outlook(machine.cpu_features),
                "compare the formats with 'edgecnn bench' on this machine before choosing int8 for its speed",
            )
        )
    return problems


def _is_writable(folder: Path) -> bool:
    """Tell whether a folder can be written, or made where it does not exist yet."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
